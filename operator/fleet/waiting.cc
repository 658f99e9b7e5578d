// SPDX-License-Identifier: Apache-2.0
//
// Fleet::Plan, its part about who waits: in which order, and who is told not to.

#include <algorithm>

#include "operator/fleet/fleet.h"

namespace wsf::fleet {
namespace {

http::Refusal AtMaxInstances() {  // H04
  return {429, 432, "ResourceLimitReached",
          "all instances of this function are in use (maxInstances)", 5};
}

}  // namespace

void Fleet::RefuseNewest(const spec::Function& function, std::size_t count,
                         const http::Refusal& refusal, std::vector<Action>* actions) {
  const std::string key = function.key();
  for (; count > 0; --count) {
    // Who came first is served first.
    const Waiter* newest = waiters_.Newest(key);
    if (newest == nullptr) return;
    actions->push_back(TellRefuse{newest->gateway, newest->request_id, refusal, key});
    OnLeft(newest->request_id);
  }
}

void Fleet::RefuseWaiting(const spec::Function& function, TimePoint now,
                          std::vector<Action>* actions) {
  const std::string key = function.key();
  const Counts counts = Count(key);
  if (function.spec.max_instances) {
    const auto places =
        static_cast<int>(*function.spec.max_instances * function.spec.instance_concurrency);
    const int over = counts.taken_slots + counts.waiting - places;
    RefuseNewest(function, static_cast<std::size_t>(std::max(0, over)), AtMaxInstances(), actions);
  }
  // What a new waiter finds: nothing free or on its way, and the last start failed just now.
  const Starts& starts = starts_[key];
  const bool failing = starts.failures > 0 && now < starts.back_off_until &&
                       counts.starting + counts.free + counts.open_slots == 0 &&
                       starts.creating.empty();
  if (failing) RefuseNewest(function, waiters_.Count(key), *LastFailure(key, now), actions);
}

std::string Fleet::HomeFor(const std::string& function_key) const {
  const Waiter* oldest = waiters_.Oldest(function_key);
  return oldest == nullptr ? "" : oldest->gateway;
}

}  // namespace wsf::fleet
