// SPDX-License-Identifier: Apache-2.0
#include "operator/control/events.h"

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace wsf::control {
namespace {

using kube::Json;
using status::EventBook;

TimePoint Now() { return std::chrono::steady_clock::now(); }

EventBook::Outcome OutcomeOf(const kube::Response& response) {
  if (response.ok()) return EventBook::Outcome::kWritten;
  switch (response.status) {
    case 409: return EventBook::Outcome::kThere;  // the answer to a create did not reach us
    case 404: return EventBook::Outcome::kGone;
    case 400:
    case 413:
    case 422: return EventBook::Outcome::kRefused;
    // An API server that has just started refuses with 403 what it allows a moment later.
    default: return EventBook::Outcome::kUnanswered;
  }
}

Json ObjectOf(const EventBook::Event& event) {
  const EventBook::Subject& subject = event.subject;
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", event.name}, {"namespace", subject.ns}}},
          {"involvedObject",
           {{"apiVersion", "wsf.dev/v1alpha1"},
            {"kind", "WebSocketFunction"},
            {"name", subject.function},
            {"namespace", subject.ns},
            {"uid", subject.uid}}},
          {"reason", subject.reason},
          {"message", event.message},
          {"type", "Warning"},
          {"source", {{"component", "wsf-operator"}}},
          {"firstTimestamp", Rfc3339Seconds(event.first)},
          {"lastTimestamp", Rfc3339Seconds(event.last)},
          {"count", event.count}};
}

}  // namespace

Events::Events(boost::asio::io_context& io, kube::Client* client)
    : client_(client), timer_(io), book_(Hex(RandomBytes(6))) {}

void Events::Happened(const spec::Function& function, const std::string& reason,
                      const std::string& kind, const std::string& message) {
  book_.Happened({function.ns, function.name, function.uid, reason, kind}, message, UnixMicros(),
                 Now());
  Write();
}

void Events::Write() {
  for (const EventBook::Event& event : book_.Take(Now())) WriteOne(event);
  const auto next = book_.Next();
  if (!next || (next == timer_.expiry() && next > Now())) return;  // it is waited for already
  timer_.expires_at(*next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Write();
  });
}

void Events::WriteOne(const EventBook::Event& event) {
  const std::string path = absl::StrCat("/api/v1/namespaces/", event.subject.ns, "/events");
  const auto told = [this, subject = event.subject](const kube::Response& response) {
    book_.OnWritten(subject, OutcomeOf(response), Now());
    Write();
  };
  if (event.is_new) return client_->Create(path, ObjectOf(event), told);
  const Json patch = {{"count", event.count},
                      {"message", event.message},
                      {"lastTimestamp", Rfc3339Seconds(event.last)}};
  client_->Apply(path + "/" + event.name, kube::Patch::kMerge, patch, told);
}

}  // namespace wsf::control
