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

// Back-off of a revision that fails to start: 1, 2, 4 ... 60 s.
Duration BackOff(int failures) {
  return std::min<Duration>(seconds(1LL << std::min(failures - 1, 6)), seconds(60));
}

http::Refusal AtMaxInstances() {  // H04
  return {429, 432, "ResourceLimitReached",
          "all instances of this function are in use (maxInstances)", 5};
}

}  // namespace

const Instance* Fleet::Find(const std::string& uid) const {
  const auto found = instances_.find(uid);
  return found == instances_.end() ? nullptr : &found->second;
}

std::string Fleet::Revision(const spec::Function& function) const {
  return spec::RevisionOf(function, instances::kTemplateVersion);
}

// ---- What happened ----

void Fleet::OnFunction(spec::Function function) {
  const std::string key = function.key();
  const auto found = functions_.find(key);
  const bool same_pods = found != functions_.end() && Revision(found->second) == Revision(function);
  if (!same_pods) starts_[key].failures = 0;  // a new revision is tried at once
  if (!same_pods) starts_[key].back_off_until = TimePoint();
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
  starts.creating.erase(pod.name);
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
    instance.address = absl::StrCat(pod.ip, ":", instances::kRelayPort);
    if (!pods_listed_ && pod.relay.running) instance.phase = Phase::kUnknown;
  }
  if (pod.deleting || pod.ended()) instance.phase = Phase::kEnding;
}

void Fleet::OnPodGone(const std::string& uid) { instances_.erase(uid); }

void Fleet::MakeFree(Instance* instance, TimePoint now) {
  if (instance->phase == Phase::kFree) return;
  instance->phase = Phase::kFree;
  instance->free_since = now;
  Starts& starts = starts_[instance->pod.function_key()];
  starts.failures = 0;
  starts.back_off_until = TimePoint();
}

void Fleet::OnListening(const std::string& uid, const std::string& address, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase == Phase::kEnding) return;
  found->second.address = address;
  found->second.told_free = false;  // a repeated Listening makes us send Free again
  found->second.phase = Phase::kStarting;
  MakeFree(&found->second, now);
}

void Fleet::OnState(const std::string& uid, const std::string& state, const std::string& address,
                    TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase == Phase::kEnding) return;
  Instance& instance = found->second;
  if (state == "free") {
    instance.address = address;
    instance.told_free = false;
    MakeFree(&instance, now);
  } else if (state == "starting") {
    instance.phase = Phase::kStarting;
  } else if (state == "ending") {
    instance.phase = Phase::kEnding;
  } else if (!state.empty()) {
    instance.phase = Phase::kLive;
    instance.served = true;
  }
}

void Fleet::OnWaiting(const Waiter& waiter) { waiters_[waiter.request_id] = waiter; }

void Fleet::OnLeft(const std::string& request_id) { waiters_.erase(request_id); }

void Fleet::OnTaken(const std::string& uid, const std::string& request_id) {
  waiters_.erase(request_id);
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase == Phase::kEnding) return;
  found->second.phase = Phase::kLive;
  found->second.served = true;
  found->second.request_ids.insert(request_id);
}

void Fleet::OnNotTaken(const std::string& uid, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end() || found->second.phase != Phase::kFree) return;
  found->second.phase = Phase::kUnknown;  // its sidecar is asked, and tells the truth
  found->second.seen = now;
}

void Fleet::OnSessionEnded(const std::string& uid, const std::string& request_id) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  found->second.served = true;
  found->second.request_ids.erase(request_id);
  if (found->second.request_ids.empty()) found->second.phase = Phase::kEnding;
}

void Fleet::OnCloseAnswered(const std::string& uid, bool closed, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  found->second.closing = false;
  if (closed) {
    found->second.phase = Phase::kEnding;
  } else {
    OnNotTaken(uid, now);
  }
}

void Fleet::OnCreated(const std::string& function_key, const std::string& name) {
  starts_[function_key].creating.erase(name);
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
  for (const auto& [uid, instance] : instances_) {
    if (instance.pod.function_key() != function_key) continue;
    switch (instance.phase) {
      case Phase::kStarting: ++counts.starting; break;
      case Phase::kFree: ++counts.free; break;
      case Phase::kUnknown:
      case Phase::kLive: ++counts.live; break;
      case Phase::kEnding: ++counts.ending; break;
    }
    counts.live_sessions += static_cast<int>(instance.request_ids.size());
  }
  for (const auto& [id, waiter] : waiters_) {
    counts.waiting += waiter.function_key == function_key ? 1 : 0;
  }
  return counts;
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
    if (instance.phase == Phase::kUnknown) uids.push_back(uid);
  }
  return uids;
}

// ---- What to do ----

std::vector<Action> Fleet::Plan(TimePoint now) {
  std::vector<Action> actions;
  CheckStarting(now, &actions);
  for (auto& [uid, instance] : instances_) {
    const bool free = instance.phase == Phase::kFree && !instance.closing;
    if (free == instance.told_free) continue;
    instance.told_free = free;
    if (free) {
      actions.push_back(TellFree{uid, HomeFor(instance.pod.function_key())});
    } else {
      actions.push_back(TellWithdraw{uid});
    }
  }
  for (const auto& [key, function] : functions_) {
    if (!function.errors.empty() || function.spec.suspend) {
      PlanStop(function, &actions);
    } else {
      PlanFunction(function, now, &actions);
    }
  }
  return actions;
}

void Fleet::CheckStarting(TimePoint now, std::vector<Action>* actions) {
  for (auto& [uid, instance] : instances_) {
    const std::string key = instance.pod.function_key();
    const auto function = functions_.find(key);
    const bool never_free =
        instance.phase == Phase::kStarting || (instance.pod.ended() && instance.NeverFree());
    if (!never_free || function == functions_.end() || instance.pod.deleting) continue;
    const bool over = now >= instance.seen + seconds(function->second.spec.init_timeout_seconds);
    const auto refusal =
        StartFailure(instance.pod, function->second, over ? InitTime::kOver : InitTime::kLeft);
    if (!refusal) continue;
    instance.phase = Phase::kEnding;
    instance.pod.deleting = true;
    actions->push_back(DeleteInstance{uid});
    Fail(key, *refusal, now, actions);
  }
}

void Fleet::Fail(const std::string& key, http::Refusal refusal, TimePoint now,
                 std::vector<Action>* actions) {
  Starts& starts = starts_[key];
  ++starts.failures;
  starts.back_off_until = now + BackOff(starts.failures);
  starts.last_failure = std::move(refusal);
  starts.last_failure.retry_after_seconds = 1;
  actions->push_back(TellFailure{key, starts.last_failure});
  // It refuses the oldest waiter of that function; the others may be served by what starts next.
  const std::vector<Waiter> waiting = Waiting(key);
  if (waiting.empty()) return;
  const Waiter& oldest = waiting.front();
  actions->push_back(TellRefuse{oldest.gateway, oldest.request_id, *LastFailure(key, now)});
  waiters_.erase(oldest.request_id);
}

std::vector<Waiter> Fleet::Waiting(const std::string& function_key) const {
  std::vector<Waiter> waiting;
  for (const auto& [id, waiter] : waiters_) {
    if (waiter.function_key == function_key) waiting.push_back(waiter);
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Waiter& a, const Waiter& b) { return a.since < b.since; });
  return waiting;
}

void Fleet::RefuseWaiting(const spec::Function& function, TimePoint now,
                          std::vector<Action>* actions) {
  const std::string key = function.key();
  const Starts& starts = starts_[key];
  const Counts counts = Count(key);
  // What a new waiter finds: nothing free or on its way, and the last start failed just now.
  const bool failing = starts.failures > 0 && now < starts.back_off_until &&
                       counts.starting + counts.free == 0 && starts.creating.empty();
  int over = 0;
  if (function.spec.max_instances) {
    const auto places =
        static_cast<int>(*function.spec.max_instances * function.spec.instance_concurrency);
    over = counts.live + counts.waiting - places;
  }
  if (over <= 0 && !failing) return;
  // The newest are refused: who came first is served first.
  std::vector<Waiter> waiting = Waiting(key);
  const std::size_t refused =
      failing ? waiting.size() : std::min(waiting.size(), static_cast<std::size_t>(over));
  for (std::size_t i = 0; i < refused; ++i) {
    const Waiter& waiter = waiting[waiting.size() - 1 - i];
    const bool is_over = static_cast<int>(i) < over;
    actions->push_back(TellRefuse{waiter.gateway, waiter.request_id,
                                  is_over ? AtMaxInstances() : *LastFailure(key, now)});
    waiters_.erase(waiter.request_id);
  }
}

void Fleet::PlanFunction(const spec::Function& function, TimePoint now,
                         std::vector<Action>* actions) {
  const std::string key = function.key();
  Starts& starts = starts_[key];
  RefuseWaiting(function, now, actions);
  const Counts counts = Count(key);
  const std::string revision = Revision(function);
  int current_free = 0;
  for (const auto& [uid, instance] : instances_) {
    const bool stale = instance.pod.function_key() == key && instance.pod.revision != revision;
    if (stale && instance.phase == Phase::kStarting && !instance.pod.deleting) {
      actions->push_back(DeleteInstance{uid});
    }
    current_free += !stale && instance.pod.function_key() == key &&
                            (instance.phase == Phase::kFree || instance.phase == Phase::kStarting)
                        ? 1
                        : 0;
  }
  const auto limit = static_cast<int>(function.spec.max_instances.value_or(1 << 20));
  const int wanted_free = std::min(counts.waiting + static_cast<int>(function.spec.warm_instances),
                                   limit - counts.live);
  const int creating = static_cast<int>(starts.creating.size());
  const int room = limit - counts.live - counts.starting - counts.free - creating;
  const int missing = std::min(wanted_free - current_free - creating, room);
  if (now >= starts.back_off_until) {
    // While starts fail, one at a time shows whether the next one would work.
    const int at_once = starts.failures > 0 ? 1 - counts.starting - creating : missing;
    for (int i = 0; i < std::min(missing, at_once); ++i) {
      const std::string name = NextName(function);
      starts.creating.insert(name);
      actions->push_back(CreateInstance{key, name, revision});
    }
  }
  CloseSurplus(key, counts.free - wanted_free, now, actions);
}

void Fleet::CloseSurplus(const std::string& key, int surplus, TimePoint now,
                         std::vector<Action>* actions) {
  Starts& starts = starts_[key];
  if (surplus <= 0) {
    starts.surplus_since.reset();
    return;
  }
  if (!starts.surplus_since) starts.surplus_since = now;
  if (now < *starts.surplus_since + surplus_) return;
  const std::string revision = Revision(functions_.at(key));
  std::vector<Instance*> free;
  for (auto& [uid, instance] : instances_) {
    const bool ours = instance.pod.function_key() == key && instance.phase == Phase::kFree;
    if (ours && !instance.closing) free.push_back(&instance);
  }
  // Old revisions first, then the newest instance.
  std::sort(free.begin(), free.end(), [&](const Instance* a, const Instance* b) {
    const bool a_old = a->pod.revision != revision;
    const bool b_old = b->pod.revision != revision;
    return a_old != b_old ? a_old : a->free_since > b->free_since;
  });
  free.resize(std::min(free.size(), static_cast<std::size_t>(surplus)));
  for (Instance* instance : free) {
    instance->closing = true;
    actions->push_back(CloseInstance{instance->pod.uid});
  }
}

void Fleet::PlanStop(const spec::Function& function, std::vector<Action>* actions) {
  for (auto& [uid, instance] : instances_) {
    if (instance.pod.function_key() != function.key() || instance.pod.deleting) continue;
    if (instance.phase == Phase::kStarting) actions->push_back(DeleteInstance{uid});
    if (instance.phase == Phase::kFree && !instance.closing) {
      instance.closing = true;
      actions->push_back(CloseInstance{uid});
    }
    if (instance.phase == Phase::kLive && function.spec.suspend && !instance.closing) {
      instance.closing = true;
      actions->push_back(EndSessions{uid});
    }
  }
}

std::optional<TimePoint> Fleet::NextDeadline(TimePoint now) const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) {
    if (at > now) next = next ? std::min(*next, at) : at;
  };
  for (const auto& [uid, instance] : instances_) {
    const auto function = functions_.find(instance.pod.function_key());
    if (instance.phase == Phase::kStarting && function != functions_.end()) {
      consider(instance.seen + seconds(function->second.spec.init_timeout_seconds));
    }
  }
  for (const auto& [key, starts] : starts_) {
    if (starts.surplus_since) consider(*starts.surplus_since + surplus_);
    if (starts.failures > 0) consider(starts.back_off_until);
  }
  return next;
}

std::string Fleet::NextName(const spec::Function& function) {
  return absl::StrCat(Revision(function), "-", starts_[function.key()].next_ordinal++);
}

std::string Fleet::HomeFor(const std::string& function_key) const {
  const std::vector<Waiter> waiting = Waiting(function_key);
  return waiting.empty() ? "" : waiting.front().gateway;
}

}  // namespace wsf::fleet
