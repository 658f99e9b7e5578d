// SPDX-License-Identifier: Apache-2.0
//
// Fleet::Plan, its part that ends what is free, old or stopped.

#include <algorithm>
#include <vector>

#include "operator/fleet/fleet.h"

namespace wsf::fleet {

using std::chrono::seconds;

bool Fleet::IsStale(const Instance& instance, const spec::Function& function, TimePoint now) const {
  const bool aged = instance.phase == Phase::kFree &&
                    now >= instance.born + seconds(function.spec.warm_max_age_seconds);
  return aged || instance.pod.revision != Revision(function);
}

// Surge-first: what is free of an old revision goes once the new one can serve, at once, so that
// no new connection gets old code (S3-05).
void Fleet::CloseStale(const spec::Function& function, Stale which, TimePoint now,
                       std::vector<Action>* actions) {
  for (auto& [uid, instance] : instances_) {
    if (!IsOf(instance, function) || instance.phase != Phase::kFree) continue;
    if (!IsStale(instance, function, now)) continue;
    if (instance.closing && which == Stale::kOne) return;  // the next one when this is gone
    if (!MayClose(instance, now)) continue;
    instance.closing = true;
    actions->push_back(CloseInstance{uid});
    if (which == Stale::kOne) return;
  }
}

// P23: sessions of an old revision may go on for so long.
void Fleet::RetireSessions(const spec::Function& function, TimePoint now,
                           std::vector<Action>* actions) {
  const auto time = seconds(function.spec.live_session_seconds);
  if (time == seconds(0) || now < starts_[function.key()].revision_since + time) return;
  for (auto& [uid, instance] : instances_) {
    const bool old = IsOf(instance, function) && instance.pod.revision != Revision(function);
    if (!old || instance.phase != Phase::kLive || instance.closing) continue;
    instance.closing = true;
    actions->push_back(EndSessions{uid, Reason::kRevisionRetired});
  }
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
  const spec::Function& function = functions_.at(key);
  const std::string revision = Revision(function);
  std::vector<Instance*> free;
  for (auto& [uid, instance] : instances_) {
    if (!IsOf(instance, function) || instance.phase != Phase::kFree) continue;
    if (instance.closing) --surplus;  // still counted as free
    if (MayClose(instance, now)) free.push_back(&instance);
  }
  // Old revisions first, then the newest instance.
  std::sort(free.begin(), free.end(), [&](const Instance* a, const Instance* b) {
    const bool a_old = a->pod.revision != revision;
    const bool b_old = b->pod.revision != revision;
    return a_old != b_old ? a_old : a->free_since > b->free_since;
  });
  free.resize(std::min(free.size(), static_cast<std::size_t>(std::max(surplus, 0))));
  for (Instance* instance : free) {
    instance->closing = true;
    actions->push_back(CloseInstance{instance->pod.uid});
  }
}

void Fleet::PlanStop(const spec::Function& function, std::vector<Action>* actions) {
  for (auto& [uid, instance] : instances_) {
    if (!IsOf(instance, function) || instance.pod.deleting) continue;
    if (instance.phase == Phase::kStarting) actions->push_back(DeleteInstance{uid});
    if (instance.phase == Phase::kFree && !instance.closing) {
      instance.closing = true;
      actions->push_back(CloseInstance{uid});
    }
    if (instance.phase == Phase::kLive && function.spec.suspend && !instance.closing) {
      instance.closing = true;
      actions->push_back(EndSessions{uid, Reason::kRequestCanceled});
    }
  }
}

}  // namespace wsf::fleet
