// SPDX-License-Identifier: Apache-2.0
#include "operator/control/status_writer.h"

#include "absl/strings/str_cat.h"
#include "common/tls/certificate.h"
#include "operator/status/status.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr char kFunctionsPath[] = "/apis/wsf.dev/v1alpha1";
constexpr auto kStatusInterval = std::chrono::seconds(1);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string FunctionPath(const spec::Function& function) {
  return absl::StrCat(kFunctionsPath, "/namespaces/", function.ns, "/websocketfunctions/",
                      function.name);
}

}  // namespace

void StatusWriter::OnFunction(const std::string& key, Json status) {
  State& state = states_[key];
  state.status = std::move(status);
  if (std::exchange(state.counters_read, true)) return;
  state.sessions = ledger::Counters::FromJson(state.status.value("sessions", Json::object()));
}

void StatusWriter::Add(const std::string& key, const v1::SessionRecord& record) {
  const auto state = states_.find(key);
  if (state != states_.end()) state->second.sessions.Add(record);
}

void StatusWriter::Write(const fleet::Fleet& fleet) {
  for (const auto& [key, function] : fleet.functions()) WriteOne(fleet, function);
}

void StatusWriter::WriteOne(const fleet::Fleet& fleet, const spec::Function& function) {
  State& state = states_[function.key()];
  const TimePoint now = Now();
  if (state.writing || now < state.last_write + kStatusInterval) return;
  const std::string url = absl::StrCat(public_url_, "/", function.key());
  const status::Facts facts = {function,
                               url,
                               fleet.Revision(function),
                               fleet.Count(function.key()),
                               state.sessions,
                               fleet.LastFailure(function.key(), now)};
  const Json fresh = status::MakeStatus(facts, state.status, Rfc3339Seconds(UnixMicros()));
  if (fresh == state.status) return;
  state.writing = true;
  state.last_write = now;
  // Replaced whole: a merge would keep what is not named any more.
  const Json patch =
      Json::array({{{"op", "test"}, {"path", "/metadata/uid"}, {"value", function.uid}},
                   {{"op", "add"}, {"path", "/status"}, {"value", fresh}}});
  client_->Apply(FunctionPath(function) + "/status", kube::Patch::kJson, patch,
                 [this, key = function.key(), fresh](const kube::Response& response) {
                   const auto found = states_.find(key);
                   if (found == states_.end()) return;
                   found->second.writing = false;
                   if (response.ok()) found->second.status = fresh;
                 });
}

void StatusWriter::WriteEvent(const spec::Function& function, const std::string& reason,
                              const std::string& message) {
  // One Event per reason and text, counted up (K08).
  const std::string name =
      absl::StrCat(function.name, ".", tls::Sha256(function.uid + reason + message).substr(0, 16));
  const std::string now = Rfc3339Seconds(UnixMicros());
  const std::string path = absl::StrCat("/api/v1/namespaces/", function.ns, "/events");
  auto& [first, count] = events_[name];
  if (++count == 1) first = now;
  const Json event = {{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", {{"name", name}, {"namespace", function.ns}}},
                      {"involvedObject",
                       {{"apiVersion", "wsf.dev/v1alpha1"},
                        {"kind", "WebSocketFunction"},
                        {"name", function.name},
                        {"namespace", function.ns},
                        {"uid", function.uid}}},
                      {"reason", reason},
                      {"message", message},
                      {"type", "Warning"},
                      {"source", {{"component", "wsf-operator"}}},
                      {"firstTimestamp", first},
                      {"lastTimestamp", now},
                      {"count", count}};
  if (count == 1) return client_->Create(path, event, [](const kube::Response&) {});
  const Json patch = {{"count", count}, {"lastTimestamp", now}};
  client_->Apply(path + "/" + name, kube::Patch::kMerge, patch, [](const kube::Response&) {});
}

}  // namespace wsf::control
