// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/fleet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/impossible.h"
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

const std::string& Fleet::Revision(const std::string& function_key) const {
  static const std::string kNone;
  const auto found = starts_.find(function_key);
  if (found != starts_.end()) return found->second.revision;
  Impossible("a function without its starts");
  return kNone;
}

// ---- What happened ----

void Fleet::OnFunction(spec::Function function, TimePoint now) {
  const std::string key = function.key();
  const auto found = functions_.find(key);
  const bool recreated = found != functions_.end() && found->second.uid != function.uid;
  if (recreated) starts_.erase(key);
  Starts& starts = starts_[key];
  const std::string revision = spec::RevisionOf(function, template_version_);
  if (std::exchange(starts.revision, revision) != revision) {
    starts.revision_since = now;
    starts.failures = 0;  // a new revision is tried at once
    starts.back_off_until = TimePoint();
  }
  functions_[key] = std::move(function);
  AllChanged(key);
}

std::optional<std::string> Fleet::OnFunctionGone(const std::string& uid) {
  const auto found = std::find_if(functions_.begin(), functions_.end(),
                                  [&](const auto& each) { return each.second.uid == uid; });
  if (found == functions_.end()) return std::nullopt;
  std::string key = found->first;
  starts_.erase(key);
  waiters_.RemoveOfFunction(key);
  functions_.erase(found);
  AllChanged(key);
  return key;
}

void Fleet::OnPod(const instances::Pod& pod, TimePoint now) {
  Starts& starts = starts_[pod.function_key()];
  std::uint64_t ordinal = 0;
  const std::size_t dash = pod.name.rfind('-');
  if (dash != std::string::npos && absl::SimpleAtoi(pod.name.substr(dash + 1), &ordinal)) {
    starts.next_ordinal = std::max(starts.next_ordinal, ordinal + 1);
  }
  const auto [found, is_new] = instances_.try_emplace(pod.uid);
  Instance& instance = found->second;
  // A busy node or a large image takes nothing of the time that the server has to listen (H12).
  const bool runs_now = !is_new && pod.server.running && !instance.pod.server.running;
  if (runs_now && instance.phase == Phase::kStarting) instance.seen = now;
  const bool deleting = instance.pod.deleting;  // asked for, and perhaps not told yet
  instance.pod = pod;
  instance.pod.deleting |= deleting;
  // The pod of a function that has gone may bear the name that its successor has just asked for.
  const bool is_ours = FunctionOf(instance) != nullptr;
  if (is_ours && starts.creating.erase(pod.name) > 0) starts.unanswered = 0;
  if (is_new) {
    instance.made = instance.seen = now;
    instance.ask_at = now + kFirstAsk;
    instance.ask_pause = kFirstAsk;
    instance.born = now - std::chrono::duration_cast<Duration>(pod.age);
    instance.inherited = !pods_listed_;
    if (instance.inherited && pod.relay.running) instance.phase = Phase::kUnknown;
  }
  // What its sidecar has told is not told again to a new operator, and may not have been true.
  if (!pod.MayBeAt(instance.address)) {
    instance.address = pod.RelayAddress();
    instance.told_slots = 0;
  }
  if (instance.pod.deleting || pod.ended()) instance.phase = Phase::kEnding;
  if (instance.phase == Phase::kFree && pod.server.terminated) OnServerEnded(&instance, now);
  Changed(&instance);
}

void Fleet::OnServerEnded(Instance* instance, TimePoint now) {
  instance->phase = Phase::kStarting;
  instance->seen = now;  // its init time begins anew
  instance->asked = Instance::Asked::kNo;
  // One that listened for a moment only would be started for ever without a pause.
  if (now < instance->free_since + kProven) instance->free_since = TimePoint();
}

void Fleet::OnPodGone(const std::string& uid) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  const std::string key = found->second.group;
  LeaveGroup(&found->second);
  unknown_.erase(uid);
  instance_deadlines_.Set(uid, std::nullopt);
  instances_.erase(found);
  // A label that names no function is anybody's to invent.
  if (!groups_.contains(key) && !functions_.contains(key)) starts_.erase(key);
}

void Fleet::OnPodsListed(TimePoint now) {
  if (!pods_listed_) started_ = now;
  pods_listed_ = true;
  for (auto& [uid, instance] : instances_) Changed(&instance);
  for (const auto& [key, function] : functions_) changed_functions_.insert(key);
}

void Fleet::MakeFree(Instance* instance, TimePoint now) {
  if (instance->phase == Phase::kFree) return;
  instance->phase = Phase::kFree;
  instance->free_since = now;
}

void Fleet::OnListening(const std::string& uid, const std::string& address, TimePoint now) {
  Change(uid, [&](Instance& instance) {
    if (instance.phase == Phase::kEnding) return;
    instance.address = address;
    instance.told_slots = 0;  // a repeated Listening makes us send Free again
    instance.phase = Phase::kStarting;
    MakeFree(&instance, now);
  });
}

void Fleet::OnState(const std::string& uid, const std::string& state, const std::string& address,
                    TimePoint now) {
  Change(uid, [&](Instance& instance) {
    if (!state.empty()) instance.lost_since = TimePoint();
    if (instance.phase == Phase::kEnding) return;
    instance.doubted = false;
    // It was asked before it listened, or before a gateway took it: that is newer.
    const bool is_older = (state == "starting" && instance.phase == Phase::kFree) ||
                          (state == "free" && instance.phase == Phase::kLive);
    if (is_older) return;
    if (state == "free") {
      instance.sessions.clear();  // of a gateway that could not say that it has not taken it
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
  });
}

void Fleet::OnWaiting(const Waiter& waiter) {
  OnLeft(waiter.request_id);
  waiters_.Add(waiter);
  changed_functions_.insert(waiter.function_key);
}

void Fleet::OnLeft(const std::string& request_id) {
  const std::string key = waiters_.Remove(request_id);
  if (!key.empty()) changed_functions_.insert(key);
}

void Fleet::OnTaken(const std::string& uid, const std::string& request_id,
                    const LiveSession& session) {
  OnLeft(request_id);
  Change(uid, [&](Instance& instance) {
    if (instance.phase == Phase::kEnding) return;
    instance.phase = Phase::kLive;
    instance.served = true;
    instance.sessions[request_id] = session;
    // It serves: the revision is sound.
    Starts& starts = starts_[instance.pod.function_key()];
    starts.failures = 0;
    starts.back_off_until = TimePoint();
  });
}

void Fleet::OnNotTaken(const std::string& uid, const std::string& request_id, TimePoint now) {
  Change(uid, [&](Instance& instance) {
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
  });
}

void Fleet::OnSessionEnded(const std::string& uid, const std::string& request_id, Over over,
                           TimePoint now) {
  Change(uid, [&](Instance& instance) {
    instance.served = true;
    instance.sessions.erase(request_id);
    if (!instance.sessions.empty() || instance.phase == Phase::kEnding) return;
    if (over == Over::kPerhaps) return;  // its report will tell, or its pod's end
    const spec::Function* function = FunctionOf(instance);
    if (function == nullptr || function->spec.instance_concurrency == 1) {
      instance.phase = Phase::kEnding;
      return;
    }
    // Another session may just have been taken by a gateway that has not told yet: its sidecar
    // knows.
    instance.phase = Phase::kUnknown;
    instance.seen = now;
  });
}

void Fleet::OnInstanceLost(const std::string& uid, TimePoint now) {
  Change(uid, [&](Instance& instance) {
    if (instance.lost_since == TimePoint()) instance.lost_since = now;
  });
}

void Fleet::OnEndFailed(const std::string& uid) {
  Change(uid, [](Instance& instance) { instance.closing = false; });
}

void Fleet::OnCloseAnswered(const std::string& uid, bool closed, TimePoint now) {
  Change(uid, [&](Instance& instance) {
    instance.closing = false;
    if (closed) instance.phase = Phase::kEnding;
  });
  if (!closed) OnNotTaken(uid, "", now);
}

bool Fleet::OnNameTaken(const std::string& function_key, const std::string& name, TimePoint now) {
  if (!functions_.contains(function_key)) return true;
  const auto group = groups_.find(function_key);
  const bool known = group != groups_.end() &&
                     std::ranges::any_of(group->second.members, [&name](const Instance* each) {
                       return each->pod.name == name;
                     });
  changed_functions_.insert(function_key);
  if (known) {
    starts_[function_key].creating.erase(name);  // the next ordinal
  } else {
    starts_[function_key].creating[name].again = now + seconds(1);
  }
  return known;
}

void Fleet::OnNameForeign(const std::string& function_key, const std::string& name) {
  const auto starts = starts_.find(function_key);
  if (starts != starts_.end()) starts->second.creating.erase(name);
  changed_functions_.insert(function_key);
}

void Fleet::OnCreateUnanswered(const std::string& function_key, const std::string& name,
                               TimePoint now) {
  if (!functions_.contains(function_key)) return;
  Starts& starts = starts_[function_key];
  Starts::Creation& creation = starts.creating[name];
  if (starts.unanswered == 0 || creation.asked > starts.unanswered_at) {
    ++starts.unanswered;
    starts.unanswered_at = now;
  }
  creation.again = now + BackOff(starts.unanswered);
  changed_functions_.insert(function_key);
}

void Fleet::OnCreateFailed(const std::string& function_key, const std::string& name,
                           const std::string& message, TimePoint now) {
  if (!functions_.contains(function_key)) return;
  Starts& starts = starts_[function_key];
  const auto creation = starts.creating.extract(name);
  CountFailure(&starts, creation.empty() ? now : creation.mapped().asked, now);
  starts.last_failure = CreateFailure(message);
  changed_functions_.insert(function_key);
}

void Fleet::OnGatewayLost(const std::string& gateway) {
  changed_functions_.merge(waiters_.RemoveOfGateway(gateway));
}

}  // namespace wsf::fleet
