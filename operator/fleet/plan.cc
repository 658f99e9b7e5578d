// SPDX-License-Identifier: Apache-2.0
//
// Fleet::Plan: what is to be done, from what is known now. What becomes known is in fleet.cc.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "operator/fleet/failure.h"
#include "operator/fleet/fleet.h"

namespace wsf::fleet {
namespace {

using std::chrono::seconds;

// A sidecar that a gateway has lost and that does not answer is on a lost node (contracts.md).
constexpr auto kLostTime = seconds(20);
http::Refusal ScaleOutExceeded(int retry_after_seconds) {  // H06
  return {429, 429, std::string(ReasonName(Reason::kResourceLimit)),
          "more instances are asked for than may be started within a minute",
          std::max(1, retry_after_seconds)};
}

}  // namespace

std::vector<Action> Fleet::Plan(TimePoint now) {
  std::vector<Action> actions;
  CheckStarting(now, &actions);
  for (auto& [uid, instance] : instances_) {
    const bool orphan = FunctionOf(instance) == nullptr;
    if (orphan && !instance.pod.deleting && pods_listed_) {
      instance.pod.deleting = true;  // as the cluster's garbage collection does, or has not yet
      actions.push_back(DropInstance{uid});
    }
    if (now >= instance.rests_until) instance.resting = false;
    const int slots = Slots(instance);
    if (slots == std::exchange(instance.told_slots, slots)) continue;
    if (slots > 0) {
      actions.push_back(TellFree{uid, HomeFor(instance.pod.function_key()), slots});
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
    const spec::Function* function = FunctionOf(instance);
    const bool lost = instance.lost_since != TimePoint() && now >= instance.lost_since + kLostTime;
    if (lost && !instance.pod.deleting) {
      instance.pod.deleting = true;
      actions->push_back(DeleteInstance{uid});
    }
    // What a new operator finds ended may have served: the ledger tells, and nobody is refused.
    const bool ended_unused = instance.pod.ended() && instance.NeverFree() && !instance.inherited;
    const bool never_free = instance.phase == Phase::kStarting || ended_unused;
    if (!never_free || function == nullptr || instance.pod.deleting) continue;
    instances::Pod pod = instance.pod;
    if (!instance.NeverFree()) {
      // The server of a free one is started again in its place, and fails only by time.
      pod.server.restarts = 0;
      pod.server.terminated = false;
    }
    const bool over = now >= instance.seen + seconds(function->spec.init_timeout_seconds);
    const auto refusal = StartFailure(pod, *function, over ? InitTime::kOver : InitTime::kLeft);
    if (!refusal) continue;
    // Its report may have been lost: the sidecar knows whether the server listens.
    const bool may_listen = pod.server.running && pod.relay.running;
    if (may_listen && instance.asked != Instance::Asked::kStarting) {
      if (instance.asked == Instance::Asked::kNo) actions->push_back(AskState{uid});
      instance.asked = Instance::Asked::kAsking;
      continue;
    }
    instance.phase = Phase::kEnding;
    instance.pod.deleting = true;
    actions->push_back(DeleteInstance{uid});
    Fail(function->key(), *refusal, now, actions);
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

void Fleet::AskAgain(const spec::Function& function, TimePoint now, std::vector<Action>* actions) {
  const std::string revision = Revision(function);
  auto& creating = starts_[function.key()].creating;
  for (auto each = creating.begin(); each != creating.end();) {
    const bool current = each->first.substr(0, each->first.rfind('-')) == revision;
    if (current && now >= each->second) {
      each->second = TimePoint::max();
      actions->push_back(CreateInstance{function.key(), each->first, revision});
    }
    const bool waiting = current || each->second == TimePoint::max();
    each = waiting ? std::next(each) : creating.erase(each);
  }
}

void Fleet::StartInstances(const spec::Function& function, int missing, TimePoint now,
                           std::vector<Action>* actions) {
  const std::string key = function.key();
  Starts& starts = starts_[key];
  if (now < starts.back_off_until) return;
  const Counts counts = Count(key);
  // While starts fail, one at a time shows whether the next one would work.
  const int under_way = counts.starting + static_cast<int>(starts.creating.size());
  if (starts.failures > 0) missing = std::min(missing, 1 - under_way);
  for (; missing > 0; --missing) {
    if (!start_rate_.Take(now)) break;
    const std::string name = NextName(function);
    starts.creating[name] = TimePoint::max();
    actions->push_back(CreateInstance{key, name, Revision(function)});
  }
  if (missing <= 0) return;
  // H06: who waits for what can not be started now is told so; the rest has its instance coming.
  const auto coming =
      static_cast<std::size_t>(counts.free + counts.starting) + starts.creating.size();
  const std::size_t served =
      coming * function.spec.instance_concurrency + static_cast<std::size_t>(counts.open_slots);
  const std::size_t waiting = Waiting(key).size();
  const auto wait = std::chrono::ceil<seconds>(start_rate_.Next() - now);
  if (waiting > served) {
    RefuseNewest(function, waiting - served, ScaleOutExceeded(static_cast<int>(wait.count())),
                 actions);
  }
}

void Fleet::PlanFunction(const spec::Function& function, TimePoint now,
                         std::vector<Action>* actions) {
  const std::string key = function.key();
  Starts& starts = starts_[key];
  RefuseWaiting(function, now, actions);
  const Counts counts = Count(key);
  int current_free = 0;
  int current_coming = 0;
  for (const auto& [uid, instance] : instances_) {
    if (!IsOf(instance, function)) continue;
    const bool stale = IsStale(instance, function, now);
    if (stale && instance.phase == Phase::kStarting && !instance.pod.deleting) {
      actions->push_back(DeleteInstance{uid});
    }
    current_free += !stale && instance.phase == Phase::kFree ? 1 : 0;
    current_coming += !stale && instance.phase == Phase::kStarting ? 1 : 0;
    const bool proven = instance.phase == Phase::kFree && now >= instance.free_since + kProven;
    if (proven && !stale) starts.failures = 0;
  }
  const auto places = static_cast<int>(function.spec.instance_concurrency);
  const auto limit = static_cast<int>(function.spec.max_instances.value_or(1 << 20));
  const int unplaced = std::max(0, counts.waiting - counts.open_slots);
  const int wanted_free =
      std::min((unplaced + places - 1) / places + static_cast<int>(function.spec.warm_instances),
               limit - counts.live);
  AskAgain(function, now, actions);
  const int creating = static_cast<int>(starts.creating.size());
  const int room = limit - counts.live - counts.starting - counts.free - creating;
  const int missing = wanted_free - current_free - current_coming - creating;
  StartInstances(function, std::min(missing, room), now, actions);
  CloseSurplus(key, counts.free - wanted_free, now, actions);
  if (current_free >= wanted_free) CloseStale(function, Stale::kAll, now, actions);
  // At maxInstances there is no room for the new beside the old.
  if (missing > 0 && room <= 0) CloseStale(function, Stale::kOne, now, actions);
  RetireSessions(function, now, actions);
}

std::optional<TimePoint> Fleet::NextDeadline(TimePoint now) const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) {
    if (at > now) next = next ? std::min(*next, at) : at;
  };
  for (const auto& [uid, instance] : instances_) {
    const spec::Function* function = FunctionOf(instance);
    if (instance.phase == Phase::kStarting && function != nullptr) {
      consider(instance.seen + seconds(function->spec.init_timeout_seconds));
    }
    if (instance.lost_since != TimePoint()) consider(instance.lost_since + kLostTime);
    const bool proving = function != nullptr && starts_.at(function->key()).failures > 0;
    if (instance.phase == Phase::kFree && proving) consider(instance.free_since + kProven);
    if (instance.inherited && instance.phase == Phase::kFree) consider(started_ + kNoClosing);
    if (function == nullptr) continue;
    if (instance.resting) consider(instance.rests_until);
    if (instance.phase == Phase::kFree) {
      consider(instance.born + seconds(function->spec.warm_max_age_seconds));
    }
    const auto retire = seconds(function->spec.live_session_seconds);
    const bool old = instance.phase == Phase::kLive && instance.pod.revision != Revision(*function);
    if (old && retire > seconds(0)) {
      consider(starts_.at(function->key()).revision_since + retire);
    }
  }
  for (const auto& [key, starts] : starts_) {
    if (starts.surplus_since) consider(*starts.surplus_since + surplus_);
    if (starts.failures > 0) consider(starts.back_off_until);
    for (const auto& [name, again] : starts.creating) {
      if (again != TimePoint::max()) consider(again);
    }
  }
  consider(start_rate_.Next());
  return next;
}

std::string Fleet::NextName(const spec::Function& function) {
  return absl::StrCat(Revision(function), "-", starts_[function.key()].next_ordinal++);
}

}  // namespace wsf::fleet
