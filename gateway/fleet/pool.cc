// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/pool.h"

#include <algorithm>
#include <tuple>

namespace wsf::fleet {
namespace {

bool IsOf(const v1::Free& free, const std::string& function_key) {
  return free.function().namespace_() + "/" + free.function().name() == function_key;
}

}  // namespace

void Pool::Add(const v1::Free& free, TimePoint now) {
  const bool ours = free.home().empty() || free.home() == self_;
  marked_.erase(free.pod_uid());
  entries_[free.pod_uid()] = {free, ours ? now : now + head_start_};
}

void Pool::Remove(const std::string& pod_uid) { entries_.erase(pod_uid); }

void Pool::MarkAll() {
  for (const auto& [uid, entry] : entries_) marked_.insert(uid);
}

void Pool::DropMarked() {
  for (const std::string& uid : marked_) entries_.erase(uid);
  marked_.clear();
}

std::optional<v1::Free> Pool::Take(const std::string& function_key, const std::string& revision,
                                   TimePoint now) {
  const auto rank = [&](const Entry& entry) {
    return std::make_tuple(entry.free.revision() != revision, !entry.free.live(),
                           entry.free.since());
  };
  auto best = entries_.end();
  for (auto each = entries_.begin(); each != entries_.end(); ++each) {
    if (!IsOf(each->second.free, function_key) || now < each->second.ours_from) continue;
    if (best == entries_.end() || rank(each->second) < rank(best->second)) best = each;
  }
  if (best == entries_.end()) return std::nullopt;
  v1::Free taken = best->second.free;
  if (taken.slots() <= 1) {
    entries_.erase(best);
  } else {  // the operator tells the true number once it knows of the session
    best->second.free.set_slots(taken.slots() - 1);
    best->second.free.set_live(true);
  }
  return taken;
}

std::optional<TimePoint> Pool::NextChance(const std::string& function_key) const {
  std::optional<TimePoint> next;
  for (const auto& [uid, entry] : entries_) {
    if (!IsOf(entry.free, function_key)) continue;
    next = next ? std::min(*next, entry.ours_from) : entry.ours_from;
  }
  return next;
}

}  // namespace wsf::fleet
