// SPDX-License-Identifier: Apache-2.0
#include "operator/control/status_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "operator/status/status.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr char kFunctionsPath[] = "/apis/wsf.dev/v1alpha1";
constexpr auto kStatusInterval = std::chrono::seconds(1);
constexpr auto kUnansweredPauseMax = std::chrono::seconds(4);
constexpr auto kRefusedPauseMax = std::chrono::seconds(60);

// Who refuses a status refuses the next one too; who does not answer may do so soon.
Duration PauseAfter(int failures, int http_status) {
  const bool refused = http_status >= 400 && http_status < 500 && http_status != 429;
  const auto longest = refused ? kRefusedPauseMax : kUnansweredPauseMax;
  return std::min<Duration>(kStatusInterval * (1 << std::min(failures - 1, 6)), longest);
}

std::string FunctionPath(const spec::Function& function) {
  return absl::StrCat(kFunctionsPath, "/namespaces/", function.ns, "/websocketfunctions/",
                      function.name);
}

}  // namespace

void StatusWriter::OnFunction(const std::string& key, const std::string& version, Json status) {
  State& state = states_[key];
  if (std::exchange(state.version, version) != version && state.failures > 0) {
    state.failures = 0;  // what was refused may have been mended
    state.next_write = state.last_write + kStatusInterval;
  }
  state.status = std::move(status);
  changed_.insert(key);
}

std::optional<TimePoint> StatusWriter::Write(const fleet::Fleet& fleet, TimePoint now) {
  std::optional<TimePoint> next;
  for (const auto& [key, function] : fleet.functions()) {
    if (!changed_.contains(key) && !ledger_->IsBusy(function.owner())) continue;
    const auto due = WriteOne(fleet, function, now);
    if (due) next = next ? std::min(*next, *due) : *due;
  }
  return next;
}

std::optional<TimePoint> StatusWriter::WriteOne(const fleet::Fleet& fleet,
                                                const spec::Function& function, TimePoint now) {
  const auto found = states_.find(function.key());
  const auto book = ledger_->BookToWrite(function.owner(), now);
  if (found == states_.end() || !book || found->second.busy) return std::nullopt;
  State& state = found->second;
  const status::Facts facts = {function,
                               absl::StrCat(public_url_, "/", function.key()),
                               fleet.Revision(function.key()),
                               fleet.Count(function.key()),
                               *book,
                               fleet.LastFailure(function.key(), now),
                               hosts_->LostBy(function.key())};
  const Json fresh = status::MakeStatus(facts, state.status, Rfc3339Seconds(UnixMicros()));
  if (fresh == state.status) {
    changed_.erase(function.key());
    return std::nullopt;
  }
  if (now < state.next_write) return state.next_write;
  state.busy = true;
  state.last_write = now;
  state.next_write = now + kStatusInterval;
  ledger_->OnWriting(function.owner(), *book);
  // Replaced whole, since a merge would keep what is not named any more; and only on the version
  // that the book was read with.
  const Json patch = Json::array(
      {{{"op", "replace"}, {"path", "/metadata/uid"}, {"value", function.uid}},
       {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", state.version}},
       {{"op", "add"}, {"path", "/status"}, {"value", fresh}}});
  const std::string path = FunctionPath(function);
  client_->Apply(path + "/status", kube::Patch::kJson, patch,
                 [this, key = function.key(), path](const kube::Response& response) {
                   OnWritten(key, path, response);
                 });
  return std::nullopt;
}

// After a conflict, or when no answer came, only the API knows what stands there now.
void StatusWriter::OnWritten(const std::string& key, const std::string& path,
                             const kube::Response& response) {
  const auto state = states_.find(key);
  if (state != states_.end()) changed_.insert(key);
  if (response.ok()) {
    if (state != states_.end()) {
      state->second.busy = false;
      state->second.failures = 0;
    }
    on_object_(response.body);
    return on_free_();
  }
  if (response.status != 409) {
    observe::Log(observe::Level::kWarning, "status not written",
                 {{"function", key}, {"error", response.Message()}});
    if (state != states_.end()) {
      State& failed = state->second;
      failed.next_write = failed.last_write + PauseAfter(++failed.failures, response.status);
    }
  }
  client_->Get(path, [this, key](const kube::Response& read) {
    const auto found = states_.find(key);
    if (found != states_.end()) found->second.busy = false;
    if (read.ok()) on_object_(read.body);
    on_free_();
  });
}

}  // namespace wsf::control
