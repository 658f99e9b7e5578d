// SPDX-License-Identifier: Apache-2.0
//
// Fleet's figures: what each instance counts as, kept as it changes, and when time alone will
// change it.

#include <algorithm>
#include <utility>

#include "common/base/impossible.h"
#include "operator/fleet/fleet.h"

namespace wsf::fleet {
namespace {

using std::chrono::seconds;

// The earliest of what is considered.
class Earliest {
 public:
  void Consider(TimePoint at) { at_ = at_ ? std::min(*at_, at) : at; }
  std::optional<TimePoint> at() const { return at_; }

 private:
  std::optional<TimePoint> at_;
};

}  // namespace

const spec::Function* Fleet::FunctionOf(const Instance& instance) const {
  const auto found = functions_.find(instance.pod.function_key());
  const bool ours = found != functions_.end() && IsOf(instance, found->second);
  return ours ? &found->second : nullptr;
}

// ---- Kept as things change ----

void Fleet::Changed(Instance* instance) {
  Recount(instance);
  changed_instances_.insert(instance->pod.uid);
  changed_functions_.insert(instance->group);
}

void Fleet::AllChanged(const std::string& function_key) {
  changed_functions_.insert(function_key);
  const auto group = groups_.find(function_key);
  if (group == groups_.end()) return;
  for (Instance* instance : group->second.members) Changed(instance);
}

void Fleet::Recount(Instance* instance) {
  std::string key = instance->pod.function_key();
  if (key != instance->group) LeaveGroup(instance);
  Group& group = groups_[key];
  if (group.members.insert(instance).second) instance->group = std::move(key);
  group.counts -= instance->counted;
  instance->counted = CountsOf(*instance);
  group.counts += instance->counted;
  const bool lost = instance->lost_since != TimePoint() && !instance->pod.deleting;
  if (instance->phase == Phase::kUnknown || lost) {
    unknown_.insert(instance->pod.uid);
  } else {
    unknown_.erase(instance->pod.uid);
  }
  instance_deadlines_.Set(instance->pod.uid, DeadlineOf(*instance));
}

void Fleet::LeaveGroup(Instance* instance) {
  const auto group = groups_.find(instance->group);
  if (group == groups_.end()) return;
  changed_functions_.insert(instance->group);
  group->second.counts -= std::exchange(instance->counted, Counts());
  group->second.members.erase(instance);
  if (group->second.members.empty()) groups_.erase(group);
}

Counts Fleet::CountsOf(const Instance& instance) const {
  Counts counts;
  const spec::Function* function = FunctionOf(instance);
  if (function == nullptr) return counts;
  switch (instance.phase) {
    case Phase::kStarting: counts.starting = 1; break;
    case Phase::kFree: counts.free = 1; break;
    case Phase::kUnknown: counts.doubted = instance.doubted ? 1 : 0; [[fallthrough]];
    case Phase::kLive: counts.live = 1; break;
    case Phase::kEnding: counts.ending = 1; break;
  }
  const bool old = instance.pod.revision != Revision(function->key());
  const bool stale = IsStale(instance, *function);
  // Of an old revision a session that may go on until it ends holds nothing up.
  const bool retires = function->spec.live_session_seconds > 0;
  counts.outdated = old ? counts.starting + counts.free + (retires ? counts.live : 0) : 0;
  counts.current_free = stale ? 0 : counts.free;
  counts.current_starting = stale ? 0 : counts.starting;
  counts.stale_free = stale ? counts.free : 0;
  counts.stale_starting = stale && !instance.pod.deleting ? counts.starting : 0;
  counts.proven = instance.proven ? counts.current_free : 0;
  const bool live = instance.phase == Phase::kLive;
  counts.retirable = live && old && !instance.closing ? 1 : 0;
  counts.live_sessions = static_cast<int>(instance.sessions.size());
  if (live) counts.open_slots = Slots(instance);
  if (counts.live > counts.doubted) {
    counts.taken_slots = TakenSlots(instance, counts.live_sessions);
  }
  return counts;
}

std::optional<TimePoint> Fleet::DeadlineOf(const Instance& instance) const {
  Earliest next;
  const spec::Function* function = FunctionOf(instance);
  if (instance.lost_since != TimePoint() && !instance.pod.deleting) {
    next.Consider(instance.lost_since + kLostTime);
  }
  if (function == nullptr) return next.at();
  if (instance.phase == Phase::kStarting && !instance.pod.deleting) {
    next.Consider(instance.seen + seconds(function->spec.init_timeout_seconds));
  }
  if (IsAskable(instance)) next.Consider(instance.ask_at);
  if (instance.phase == Phase::kFree) {
    if (!instance.proven) next.Consider(instance.free_since + kProven);
    if (!instance.closable) next.Consider(started_ + kNoClosing);
  }
  if (!instance.aged && instance.phase != Phase::kEnding) {
    next.Consider(instance.born + seconds(function->spec.warm_max_age_seconds));
  }
  if (instance.resting) next.Consider(instance.rests_until);
  return next.at();
}

std::optional<TimePoint> Fleet::DeadlineOf(const spec::Function& function, TimePoint now) const {
  Earliest next;
  const auto consider = [&next, now](TimePoint at) {
    if (at > now) next.Consider(at);
  };
  const auto found = starts_.find(function.key());
  if (found == starts_.end()) {
    Impossible("a function without its starts");
    return std::nullopt;
  }
  const Starts& starts = found->second;
  if (starts.surplus_since) consider(*starts.surplus_since + surplus_);
  consider(starts.back_off_until);  // also where a proven instance has made the failures forgotten
  if (starts.short_of_starts) consider(start_rate_.Next());
  for (const auto& [name, creation] : starts.creating) {
    if (creation.again != TimePoint::max()) consider(creation.again);
  }
  const auto retire = seconds(function.spec.live_session_seconds);
  if (retire > seconds(0) && Count(function.key()).retirable > 0) {
    consider(starts.revision_since + retire);
  }
  return next.at();
}

std::optional<TimePoint> Fleet::NextDeadline(TimePoint now) const {
  if (!changed_instances_.empty() || !changed_functions_.empty()) return now;
  Earliest next;
  for (const Deadlines* each : {&instance_deadlines_, &function_deadlines_}) {
    if (const auto at = each->Next(now)) next.Consider(*at);
  }
  return next.at();
}

// ---- What is known ----

Counts Fleet::Count(const std::string& function_key) const {
  const auto group = groups_.find(function_key);
  Counts counts;
  if (group != groups_.end()) counts = group->second.counts;
  counts.waiting = static_cast<int>(waiters_.Count(function_key));
  return counts;
}

// One that is shared without end would outlive its relay's certificate. Where maxInstances may
// leave no room for another it goes on: its last reports may be refused then, its termination
// message not.
bool Fleet::IsRetired(const Instance& instance, const spec::Function& function) const {
  return instance.aged && function.spec.instance_concurrency > 1 && !function.spec.max_instances;
}

int Fleet::TakenSlots(const Instance& instance, int sessions) const {
  const spec::Function* function = FunctionOf(instance);
  // The places of an old revision are nobody's any more, nor are those of an old instance.
  const bool lost = function != nullptr && (instance.closing || IsRetired(instance, *function) ||
                                            instance.pod.revision != Revision(function->key()));
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
                      !IsRetired(instance, *function) &&
                      instance.pod.revision == Revision(function->key());
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

}  // namespace wsf::fleet
