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

http::Refusal ScaleOutExceeded(int retry_after_seconds) {  // H06
  return {429, 429, std::string(ReasonName(Reason::kResourceLimit)),
          "more instances are asked for than may be started within a minute",
          std::max(1, retry_after_seconds)};
}

}  // namespace

std::vector<Action> Fleet::Plan(TimePoint now) {
  std::vector<Action> actions;
  PlanInstances(now, &actions);
  for (std::string& key : function_deadlines_.TakeDue(now)) {
    changed_functions_.insert(std::move(key));
  }
  for (const std::string& key : std::exchange(changed_functions_, {})) {
    const auto found = functions_.find(key);
    if (found == functions_.end()) continue;
    planned_.insert(key);
    const spec::Function& function = found->second;
    if (!function.errors.empty() || function.spec.suspend) {
      PlanStop(function, &actions);
    } else {
      PlanFunction(function, now, &actions);
    }
    function_deadlines_.Set(key, DeadlineOf(function, now));
  }
  return actions;
}

void Fleet::PlanInstances(TimePoint now, std::vector<Action>* actions) {
  for (std::string& uid : instance_deadlines_.TakeDue(now)) {
    changed_instances_.insert(std::move(uid));
  }
  std::vector<Instance*> changed;
  for (const std::string& uid : std::exchange(changed_instances_, {})) {
    const auto found = instances_.find(uid);
    if (found != instances_.end()) changed.push_back(&found->second);
  }
  for (Instance* instance : changed) {
    const spec::Function* function = FunctionOf(*instance);
    const auto age = seconds(function == nullptr ? 0 : function->spec.warm_max_age_seconds);
    instance->aged = function != nullptr && now >= instance->born + age;
    instance->proven = instance->phase == Phase::kFree && now >= instance->free_since + kProven;
    instance->closable = !instance->inherited || now >= started_ + kNoClosing;
    if (now >= instance->rests_until) instance->resting = false;
    CheckStarting(instance, now, actions);
    AskStarting(instance, now, actions);
    if (function == nullptr && !instance->pod.deleting && pods_listed_) {
      instance->pod.deleting = true;  // as the cluster's garbage collection does, or has not yet
      actions->push_back(DropInstance{instance->pod.uid});
    }
    Recount(instance);
    changed_functions_.insert(instance->group);
  }
  for (Instance* instance : changed) {
    const std::string& uid = instance->pod.uid;
    const int slots = Slots(*instance);
    if (slots == std::exchange(instance->told_slots, slots)) continue;
    if (slots > 0) {
      actions->push_back(TellFree{uid, HomeFor(instance->group), slots});
    } else {
      actions->push_back(TellWithdraw{uid});
    }
  }
}

void Fleet::CheckStarting(Instance* instance, TimePoint now, std::vector<Action>* actions) {
  const std::string& uid = instance->pod.uid;
  const bool lost = instance->lost_since != TimePoint() && now >= instance->lost_since + kLostTime;
  if (lost && !instance->pod.deleting) {
    instance->pod.deleting = true;
    actions->push_back(DeleteInstance{uid});
  }
  // What a new operator finds ended may have served: the ledger tells, and nobody is refused.
  const bool ended_unused = instance->pod.ended() && instance->NeverFree() && !instance->inherited;
  const bool never_free = instance->phase == Phase::kStarting || ended_unused;
  const spec::Function* function = FunctionOf(*instance);
  if (!never_free || function == nullptr || instance->pod.deleting) return;
  instances::Pod pod = instance->pod;
  if (!instance->NeverFree()) {
    // The server of a free one is started again in its place, and fails only by time.
    pod.server.restarts = 0;
    pod.server.terminated = false;
  }
  const bool over = now >= instance->seen + seconds(function->spec.init_timeout_seconds);
  const auto refusal = StartFailure(pod, *function, over ? InitTime::kOver : InitTime::kLeft);
  if (!refusal) return;
  // Its report may have been lost: the sidecar knows whether the server listens.
  const bool may_listen = pod.server.running && pod.relay.running;
  if (may_listen && instance->asked != Instance::Asked::kStarting) {
    if (instance->asked == Instance::Asked::kNo) actions->push_back(AskState{uid});
    instance->asked = Instance::Asked::kAsking;
    return;
  }
  instance->phase = Phase::kEnding;
  instance->pod.deleting = true;
  actions->push_back(DeleteInstance{uid});
  Fail(function->key(), *refusal, instance->made, now, actions);
}

void Fleet::AskStarting(Instance* instance, TimePoint now, std::vector<Action>* actions) {
  if (!IsAskable(*instance) || now < instance->ask_at) return;
  actions->push_back(AskState{instance->pod.uid});
  instance->ask_pause = std::min<Duration>(instance->ask_pause * 2, kLongestAskPause);
  instance->ask_at = now + instance->ask_pause;
}

void Fleet::CountFailure(Starts* starts, TimePoint begun, TimePoint now) {
  if (starts->failures > 0 && begun <= starts->failed_at) return;
  ++starts->failures;
  starts->failed_at = now;
  starts->back_off_until = now + BackOff(starts->failures);
}

void Fleet::Fail(const std::string& key, http::Refusal refusal, TimePoint begun, TimePoint now,
                 std::vector<Action>* actions) {
  Starts& starts = starts_[key];
  CountFailure(&starts, begun, now);
  starts.last_failure = std::move(refusal);
  starts.last_failure.retry_after_seconds = 1;
  actions->push_back(TellFailure{key, starts.last_failure});
  // It refuses the oldest waiter of that function; the others may be served by what starts next.
  const Waiter* oldest = waiters_.Oldest(key);
  if (oldest == nullptr) return;
  actions->push_back(TellRefuse{oldest->gateway, oldest->request_id, *LastFailure(key, now), key});
  OnLeft(oldest->request_id);
}

void Fleet::AskAgain(const spec::Function& function, TimePoint now, std::vector<Action>* actions) {
  const std::string& revision = Revision(function.key());
  auto& creating = starts_[function.key()].creating;
  for (auto each = creating.begin(); each != creating.end();) {
    const bool current = each->first.substr(0, each->first.rfind('-')) == revision;
    Starts::Creation& creation = each->second;
    if (current && now >= creation.again) {
      creation = {now};
      actions->push_back(CreateInstance{function.key(), each->first, revision});
    }
    const bool waiting = current || creation.again == TimePoint::max();
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
    starts.creating[name] = {now};
    changed_functions_.insert(key);  // what is being created takes room
    actions->push_back(CreateInstance{key, name, Revision(key)});
  }
  starts.short_of_starts = missing > 0;
  if (!starts.short_of_starts) return;
  // H06: who waits for what can not be started now is told so; the rest has its instance coming.
  const auto coming =
      static_cast<std::size_t>(counts.free + counts.starting) + starts.creating.size();
  const std::size_t served =
      coming * function.spec.instance_concurrency + static_cast<std::size_t>(counts.open_slots);
  const std::size_t waiting = waiters_.Count(key);
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
  starts.short_of_starts = false;
  AskAgain(function, now, actions);
  RefuseWaiting(function, now, actions);
  const Counts counts = Count(key);
  if (counts.stale_starting > 0) {
    ForEach(function, [actions](const Instance& instance) {
      if (instance.counted.stale_starting == 0) return;
      actions->push_back(DeleteInstance{instance.pod.uid});
    });
  }
  if (counts.proven > 0) starts.failures = 0;
  const auto places = static_cast<int>(function.spec.instance_concurrency);
  const auto limit = static_cast<int>(function.spec.max_instances.value_or(1 << 20));
  const int unplaced = std::max(0, counts.waiting - counts.open_slots);
  const int wanted_free =
      std::min((unplaced + places - 1) / places + static_cast<int>(function.spec.warm_instances),
               limit - counts.live);
  const int creating = static_cast<int>(starts.creating.size());
  const int room = limit - counts.live - counts.starting - counts.free - creating;
  const int missing = wanted_free - counts.current_free - counts.current_starting - creating;
  StartInstances(function, std::min(missing, room), now, actions);
  CloseSurplus(key, counts.free - wanted_free, now, actions);
  if (counts.current_free >= wanted_free) CloseStale(function, Stale::kAll, actions);
  // At maxInstances there is no room for the new beside the old.
  if (missing > 0 && room <= 0) CloseStale(function, Stale::kOne, actions);
  RetireSessions(function, now, actions);
}

std::string Fleet::NextName(const spec::Function& function) {
  Starts& starts = starts_[function.key()];
  while (true) {
    std::string name = absl::StrCat(starts.revision, "-", starts.next_ordinal++);
    // Asked for on behalf of a function of the same name that has gone, perhaps.
    if (!starts.creating.contains(name)) return name;
  }
}

}  // namespace wsf::fleet
