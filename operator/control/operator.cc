// SPDX-License-Identifier: Apache-2.0
#include "operator/control/operator.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr char kFunctionsPath[] = "/apis/wsf.dev/v1alpha1";
// What happens at one moment changes a status once.
constexpr auto kStatusPause = std::chrono::milliseconds(50);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string Collection(const std::string& group, const std::string& ns, const char* resource) {
  const std::string scope = ns.empty() ? "" : "/namespaces/" + ns;
  return absl::StrCat(group, scope, "/", resource);
}

}  // namespace

Operator::Operator(boost::asio::io_context& io, kube::Client* client, Keys keys,
                   OperatorOptions options)
    : io_(io),
      client_(client),
      keys_(std::move(keys)),
      options_(std::move(options)),
      fleet_(options_.surplus, options_.scale_out_per_minute),
      reviewer_(client),
      statuses_(
          client, options_.public_url, &ledger_,
          [this](const Json& object) { OnFunctionObject(object); }, [this] { Schedule(); }),
      functions_(io, client, Collection(kFunctionsPath, options_.ns, "websocketfunctions"), "",
                 {[this](const Json& object) { OnFunctionObject(object); },
                  [this](const std::string& uid) { OnFunctionGone(uid); },
                  [this] {
                    // The books first, then the pods: an entry whose pod is not listed after it
                    // was read has lost its finalizer (ledger/step.h).
                    if (std::exchange(pods_started_, true)) return;
                    ledger_.OnPodsAsked();
                    pods_.Start();
                  }}),
      pods_(io, client, Collection("/api/v1", options_.ns, "pods"), instances::kFunctionLabel,
            {[this](const Json& object) { OnPodObject(object); },
             [this](const std::string& uid) { OnPodGone(uid); }, [this] { OnPodsListed(); }}),
      plan_timer_(io),
      status_timer_(io) {}

void Operator::Start() { functions_.Start(); }

// ---- From the API ----

void Operator::OnFunctionObject(const Json& object) {
  spec::Function function = spec::ParseFunction(object);
  spec::CheckMaxima(options_.maxima, &function);
  const std::string version = object.value("metadata", Json::object()).value("resourceVersion", "");
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(version, &number)) return;
  // The watch may lag behind what a write of our own has brought already.
  std::uint64_t& last = versions_[function.uid];
  if (number <= last) return;
  last = number;
  const Json status = object.value("status", Json::object());
  ledger_.OnFunction(function.uid, number, ledger::Book::FromStatus(status));
  statuses_.OnFunction(function.key(), version, status);
  gateways_.ToAll(RouteMessage(function, fleet_.Revision(function)));
  fleet_.OnFunction(std::move(function), Now());
  Schedule();
}

void Operator::OnFunctionGone(const std::string& uid) {
  // An answer to one of our own calls may still come, with the object as it was.
  versions_[uid] = std::numeric_limits<std::uint64_t>::max();
  ledger_.OnFunctionGone(uid);
  if (const auto key = fleet_.OnFunctionGone(uid)) {
    statuses_.Forget(*key);
    gateways_.ToAll(RouteGoneMessage(*key));
  }
  Schedule();
}

void Operator::OnPodObject(const Json& object) {
  instances::Pod pod = instances::ParsePod(object);
  pod.age = std::chrono::microseconds(std::max<std::int64_t>(0, UnixMicros() - pod.created));
  fleet_.OnPod(pod, Now());
  ledger_.OnPod(pod, Now());
  Schedule();
}

void Operator::OnPodGone(const std::string& uid) {
  ledger_.OnPodGone(uid, Now());
  fleet_.OnPodGone(uid);
  deleting_.erase(uid);
  gateways_.ToAll(WithdrawMessage(uid));
  Schedule();
}

void Operator::OnPodsListed() {
  ledger_.OnPodsListed();
  fleet_.OnPodsListed(Now());
  if (std::exchange(pods_listed_, true)) return Schedule();
  const std::vector<std::string> unknown = fleet_.Unknown();
  const auto left = std::make_shared<std::size_t>(unknown.size());
  for (const std::string& uid : unknown) {
    AskState(uid, [this, left] {
      if (--*left == 0) Open();
    });
  }
  if (unknown.empty()) Open();
}

// ---- Planning ----

void Operator::Schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(io_, [this] {
    scheduled_ = false;
    Reconcile();
  });
}

void Operator::Reconcile() {
  if (!open_) return;
  const TimePoint now = Now();
  // Why an instance failed is said before it is deleted.
  for (const fleet::Action& action : fleet_.Plan(now)) {
    std::visit([this](const auto& each) { Do(each); }, action);
  }
  for (const ledger::Action& action : ledger_.Plan(now)) {
    std::visit([this](const auto& each) { Do(each); }, action);
  }
  std::optional<TimePoint> next = fleet_.NextDeadline(now);
  const std::optional<TimePoint> ledger_next = ledger_.NextDeadline(now);
  if (ledger_next) next = next ? std::min(*next, *ledger_next) : *ledger_next;
  if (next) {
    plan_timer_.expires_at(*next);
    plan_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) Schedule();
    });
  }
  if (!std::exchange(status_scheduled_, true)) {
    status_timer_.expires_after(kStatusPause);
    status_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) WriteStatuses();
    });
  }
}

void Operator::WriteStatuses() {
  status_scheduled_ = false;
  const auto next = statuses_.Write(fleet_, Now());
  if (!next) return;
  status_scheduled_ = true;
  status_timer_.expires_at(*next);
  status_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) WriteStatuses();
  });
}

}  // namespace wsf::control
