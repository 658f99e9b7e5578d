// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/fleet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "operator/fleet/failure.h"

namespace wsf::fleet {
namespace {

using std::chrono::seconds;

}  // namespace

Duration BackOff(int failures) {
  return std::min<Duration>(seconds(1LL << std::min(failures - 1, 6)), seconds(60));
}

const Instance* Fleet::Find(const std::string& uid) const {
  const auto found = instances_.find(uid);
  return found == instances_.end() ? nullptr : &found->second;
}

std::string Fleet::Revision(const spec::Function& function) const {
  return spec::RevisionOf(function, instances::kTemplateVersion);
}

// ---- What happened ----

void Fleet::OnFunction(spec::Function function, TimePoint now) {
  const std::string key = function.key();
  const auto found = functions_.find(key);
  const bool recreated = found != functions_.end() && found->second.uid != function.uid;
  if (recreated) starts_.erase(key);
  Starts& starts = starts_[key];
  const std::string revision = Revision(function);
  if (std::exchange(starts.revision, revision) != revision) {
    starts.revision_since = now;
    starts.failures = 0;  // a new revision is tried at once
    starts.back_off_until = TimePoint();
  }
  functions_[key] = std::move(function);
}

std::optional<std::string> Fleet::OnFunctionGone(const std::string& uid) {
  const auto found = std::find_if(functions_.begin(), functions_.end(),
                                  [&](const auto& each) { return each.second.uid == uid; });
  if (found == functions_.end()) return std::nullopt;
  std::string key = found->first;
  starts_.erase(key);
  std::erase_if(waiters_, [&](const auto& each) { return each.second.function_key == key; });
  functions_.erase(found);
  return key;
}

void Fleet::OnPod(const instances::Pod& pod, TimePoint now) {
  Starts& starts = starts_[pod.function_key()];
  if (starts.creating.erase(pod.name) > 0) starts.unanswered = 0;
  std::uint64_t ordinal = 0;
  const std::size_t dash = pod.name.rfind('-');
  if (dash != std::string::npos && absl::SimpleAtoi(pod.name.substr(dash + 1), &ordinal)) {
    starts.next_ordinal = std::max(starts.next_ordinal, ordinal + 1);
  }
  const auto [found, is_new] = instances_.try_emplace(pod.uid);
  Instance& instance = found->second;
  instance.pod = pod;
  if (is_new) {
    instance.seen = now;
    instance.born = now - std::chrono::duration_cast<Duration>(pod.age);
    instance.address = absl::StrCat(pod.ip, ":", instances::kRelayPort);
    instance.inherited = !pods_listed_;
    if (instance.inherited && pod.relay.running) instance.phase = Phase::kUnknown;
  }
  // The address that an acknowledged sidecar had told is not told again to a new operator.
  if (instance.free_since == TimePoint() && !pod.ip.empty()) {
    instance.address = absl::StrCat(pod.ip, ":", instances::kRelayPort);
  }
  if (pod.deleting || pod.ended()) instance.phase = Phase::kEnding;
  if (instance.phase == Phase::kFree && pod.server.terminated) OnServerEnded(&instance, now);
}

void Fleet::OnServerEnded(Instance* instance, TimePoint now) {
  instance->phase = Phase::kStarting;
  instance->seen = now;  // its init time begins anew
  instance->asked = Instance::Asked::kNo;
  // One that listened for a moment only would be started for ever without a pause.
  if (now < instance->free_since + kProven) instance->free_since = TimePoint();
}

const spec::Function* Fleet::FunctionOf(const Instance& instance) const {
  const auto found = functions_.find(instance.pod.function_key());
  const bool ours = found != functions_.end() && IsOf(instance, found->second);
  return ours ? &found->second : nullptr;
}

bool Fleet::MayClose(const Instance& instance, TimePoint now) const {
  return !instance.closing && (!instance.inherited || now >= started_ + kNoClosing);
}

void Fleet::OnPodGone(const std::string& uid) { instances_.erase(uid); }

void Fleet::MakeFree(Instance* instance, TimePoint now) {
  if (instance->phase == Phase::kFree) return;
  instance->phase = Phase::kFree;
  instance->free_since = now;
}

void Fleet::OnListening(const std::string& uid, const std::string& address, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase == Phase::kEnding) return;
  found->second.address = address;
  found->second.told_slots = 0;  // a repeated Listening makes us send Free again
  found->second.phase = Phase::kStarting;
  MakeFree(&found->second, now);
}

void Fleet::OnState(const std::string& uid, const std::string& state, const std::string& address,
                    TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  Instance& instance = found->second;
  if (!state.empty()) instance.lost_since = TimePoint();
  if (instance.phase == Phase::kEnding) return;
  instance.doubted = false;
  if (state == "free") {
    instance.address = address;
    instance.told_slots = 0;
    MakeFree(&instance, now);
  } else if (state == "starting" || (state.empty() && instance.phase == Phase::kStarting)) {
    instance.phase = Phase::kStarting;
    if (instance.asked == Instance::Asked::kAsking) instance.asked = Instance::Asked::kStarting;
  } else if (state == "ending") {
    instance.phase = Phase::kEnding;
  } else if (!state.empty()) {
    instance.phase = Phase::kLive;
    instance.served = true;
  }
}

void Fleet::OnWaiting(const Waiter& waiter) { waiters_[waiter.request_id] = waiter; }

void Fleet::OnLeft(const std::string& request_id) { waiters_.erase(request_id); }

void Fleet::OnTaken(const std::string& uid, const std::string& request_id,
                    const LiveSession& session) {
  waiters_.erase(request_id);
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase == Phase::kEnding) return;
  found->second.phase = Phase::kLive;
  found->second.served = true;
  found->second.sessions[request_id] = session;
  // It serves: the revision is sound.
  Starts& starts = starts_[found->second.pod.function_key()];
  starts.failures = 0;
  starts.back_off_until = TimePoint();
}

void Fleet::OnNotTaken(const std::string& uid, const std::string& request_id, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  Instance& instance = found->second;
  const bool undone = instance.sessions.erase(request_id) > 0 && instance.sessions.empty() &&
                      instance.phase == Phase::kLive;
  if (instance.phase == Phase::kLive && !undone) {
    instance.resting = true;
    instance.rests_until = now + kRest;
  }
  if (instance.phase != Phase::kFree && !undone) return;
  instance.phase = Phase::kUnknown;  // its sidecar is asked, and tells the truth
  instance.doubted = true;
  instance.seen = now;
}

void Fleet::OnSessionEnded(const std::string& uid, const std::string& request_id, Over over,
                           TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  Instance& instance = found->second;
  instance.served = true;
  instance.sessions.erase(request_id);
  if (!instance.sessions.empty() || instance.phase == Phase::kEnding) return;
  if (over == Over::kPerhaps) return;  // its report will tell, or its pod's end
  const spec::Function* function = FunctionOf(instance);
  if (function == nullptr || function->spec.instance_concurrency == 1) {
    instance.phase = Phase::kEnding;
    return;
  }
  // Another session may just have been taken by a gateway that has not told yet: its sidecar knows.
  instance.phase = Phase::kUnknown;
  instance.seen = now;
}

void Fleet::OnInstanceLost(const std::string& uid, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.lost_since != TimePoint()) return;
  found->second.lost_since = now;
}

void Fleet::OnEndFailed(const std::string& uid) {
  const auto found = instances_.find(uid);
  if (found != instances_.end()) found->second.closing = false;
}

void Fleet::OnCloseAnswered(const std::string& uid, bool closed, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  found->second.closing = false;
  if (closed) {
    found->second.phase = Phase::kEnding;
  } else {
    OnNotTaken(uid, "", now);
  }
}

void Fleet::OnNameTaken(const std::string& function_key, const std::string& name, TimePoint now) {
  const bool known = std::any_of(instances_.begin(), instances_.end(), [&](const auto& each) {
    return each.second.pod.function_key() == function_key && each.second.pod.name == name;
  });
  if (known) {
    starts_[function_key].creating.erase(name);  // the next ordinal
  } else {
    starts_[function_key].creating[name] = now + seconds(1);  // the watch will tell of it
  }
}

void Fleet::OnCreateUnanswered(const std::string& function_key, const std::string& name,
                               TimePoint now) {
  Starts& starts = starts_[function_key];
  starts.creating[name] = now + BackOff(++starts.unanswered);
}

void Fleet::OnCreateFailed(const std::string& function_key, const std::string& name,
                           const std::string& message, TimePoint now) {
  Starts& starts = starts_[function_key];
  starts.creating.erase(name);
  ++starts.failures;
  starts.back_off_until = now + BackOff(starts.failures);
  starts.last_failure = {503, 500, "InternalError", "the instance cannot be created: " + message,
                         1};
}

void Fleet::OnGatewayLost(const std::string& gateway) {
  std::erase_if(waiters_, [&](const auto& each) { return each.second.gateway == gateway; });
}

// ---- What is known ----

Counts Fleet::Count(const std::string& function_key) const {
  Counts counts;
  const auto function = functions_.find(function_key);
  for (const auto& [uid, instance] : instances_) {
    if (function == functions_.end() || !IsOf(instance, function->second)) continue;
    switch (instance.phase) {
      case Phase::kStarting: ++counts.starting; break;
      case Phase::kFree: ++counts.free; break;
      case Phase::kUnknown: counts.doubted += instance.doubted ? 1 : 0; [[fallthrough]];
      case Phase::kLive: ++counts.live; break;
      case Phase::kEnding: ++counts.ending; break;
    }
    const auto sessions = static_cast<int>(instance.sessions.size());
    counts.live_sessions += sessions;
    if (instance.phase == Phase::kLive) counts.open_slots += Slots(instance);
    const bool taken = instance.phase == Phase::kLive || instance.phase == Phase::kUnknown;
    if (taken && !instance.doubted) counts.taken_slots += TakenSlots(instance, sessions);
  }
  for (const auto& [id, waiter] : waiters_) {
    counts.waiting += waiter.function_key == function_key ? 1 : 0;
  }
  return counts;
}

int Fleet::TakenSlots(const Instance& instance, int sessions) const {
  const spec::Function* function = FunctionOf(instance);
  // The places of an old revision are nobody's any more.
  const bool lost =
      function != nullptr && (instance.closing || instance.pod.revision != Revision(*function));
  return lost ? static_cast<int>(function->spec.instance_concurrency) : std::max(1, sessions);
}

int Fleet::Slots(const Instance& instance) const {
  const spec::Function* function = FunctionOf(instance);
  if (function == nullptr || instance.closing || instance.resting) return 0;
  const auto places = static_cast<int>(function->spec.instance_concurrency);
  if (instance.phase == Phase::kFree) return places;
  const auto sessions = static_cast<int>(instance.sessions.size());
  // No new session gets old code (S3-05), and none an instance whose sessions are not known.
  const bool shared = instance.phase == Phase::kLive && sessions > 0 && !function->spec.suspend &&
                      instance.pod.revision == Revision(*function);
  return shared ? std::max(0, places - sessions) : 0;
}

std::optional<http::Refusal> Fleet::LastFailure(const std::string& function_key,
                                                TimePoint now) const {
  const auto found = starts_.find(function_key);
  if (found == starts_.end() || found->second.failures == 0) return std::nullopt;
  http::Refusal refusal = found->second.last_failure;
  const auto left = std::chrono::ceil<seconds>(found->second.back_off_until - now);
  refusal.retry_after_seconds = static_cast<int>(std::max<std::int64_t>(1, left.count()));
  return refusal;
}

std::vector<std::string> Fleet::Unknown() const {
  std::vector<std::string> uids;
  for (const auto& [uid, instance] : instances_) {
    const bool lost = instance.lost_since != TimePoint() && !instance.pod.deleting;
    if (instance.phase == Phase::kUnknown || lost) uids.push_back(uid);
  }
  return uids;
}

}  // namespace wsf::fleet
