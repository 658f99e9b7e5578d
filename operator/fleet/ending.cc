// SPDX-License-Identifier: Apache-2.0
//
// Fleet::Plan, its part that ends what is free, old or stopped.

#include <algorithm>
#include <vector>

#include "common/base/impossible.h"
#include "operator/fleet/fleet.h"

namespace wsf::fleet {

using std::chrono::seconds;

bool Fleet::IsStale(const Instance& instance, const spec::Function& function) const {
  const bool aged = instance.phase == Phase::kFree && instance.aged;
  return aged || instance.pod.revision != Revision(function.key());
}

void Fleet::Close(Instance* instance, std::vector<Action>* actions) {
  instance->closing = true;
  Changed(instance);
  actions->push_back(CloseInstance{instance->pod.uid});
}

// Surge-first: what is free of an old revision goes once the new one can serve, at once, so that
// no new connection gets old code (S3-05).
void Fleet::CloseStale(const spec::Function& function, Stale which, std::vector<Action>* actions) {
  if (Count(function.key()).stale_free == 0) return;
  bool enough = false;  // the next one when this is gone
  ForEach(function, [&](Instance& instance) {
    const bool stale = instance.phase == Phase::kFree && IsStale(instance, function);
    if (!stale || enough) return;
    enough = which == Stale::kOne && (instance.closing || MayClose(instance));
    if (MayClose(instance)) Close(&instance, actions);
  });
}

// P23: sessions of an old revision may go on for so long.
void Fleet::RetireSessions(const spec::Function& function, TimePoint now,
                           std::vector<Action>* actions) {
  const std::string key = function.key();
  const auto time = seconds(function.spec.live_session_seconds);
  if (time == seconds(0) || now < starts_[key].revision_since + time) return;
  if (Count(key).retirable == 0) return;
  ForEach(function, [&](Instance& instance) {
    if (instance.counted.retirable == 0) return;
    instance.closing = true;
    Changed(&instance);
    actions->push_back(EndSessions{instance.pod.uid, Reason::kRevisionRetired});
  });
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
  const auto found = functions_.find(key);
  if (found == functions_.end()) return Impossible("a surplus of no function");
  const spec::Function& function = found->second;
  std::vector<Instance*> free;
  ForEach(function, [&](Instance& instance) {
    if (instance.phase != Phase::kFree) return;
    if (instance.closing) --surplus;  // still counted as free
    if (MayClose(instance)) free.push_back(&instance);
  });
  // Old revisions first, then the newest instance.
  const std::string& revision = Revision(key);
  std::sort(free.begin(), free.end(), [&](const Instance* a, const Instance* b) {
    const bool a_old = a->pod.revision != revision;
    const bool b_old = b->pod.revision != revision;
    return a_old != b_old ? a_old : a->free_since > b->free_since;
  });
  free.resize(std::min(free.size(), static_cast<std::size_t>(std::max(surplus, 0))));
  for (Instance* instance : free) Close(instance, actions);
}

void Fleet::PlanStop(const spec::Function& function, std::vector<Action>* actions) {
  ForEach(function, [&](Instance& instance) {
    if (instance.pod.deleting) return;
    if (instance.phase == Phase::kStarting) actions->push_back(DeleteInstance{instance.pod.uid});
    if (instance.phase == Phase::kFree && !instance.closing) Close(&instance, actions);
    if (instance.phase == Phase::kLive && function.spec.suspend && !instance.closing) {
      instance.closing = true;
      Changed(&instance);
      actions->push_back(EndSessions{instance.pod.uid, Reason::kRequestCanceled});
    }
  });
}

}  // namespace wsf::fleet
