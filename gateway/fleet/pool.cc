// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/pool.h"

#include <algorithm>
#include <tuple>

namespace wsf::fleet {
namespace {

std::string KeyOf(const v1::Free& free) {
  return free.function().namespace_() + "/" + free.function().name();
}

}  // namespace

void Pool::Add(const v1::Free& free, TimePoint now) {
  marked_.erase(free.pod_uid());
  const std::string key = KeyOf(free);
  keys_[free.pod_uid()] = key;
  functions_[key][free.pod_uid()] = {free, IsOurs(free) ? now : now + head_start_};
}

void Pool::Remove(const std::string& pod_uid) {
  const auto key = keys_.find(pod_uid);
  if (key == keys_.end()) return;
  const auto entries = functions_.find(key->second);
  entries->second.erase(pod_uid);
  if (entries->second.empty()) functions_.erase(entries);
  keys_.erase(key);
}

void Pool::MarkAll() {
  for (const auto& [uid, key] : keys_) marked_.insert(uid);
}

void Pool::DropMarked() {
  for (const std::string& uid : marked_) Remove(uid);
  marked_.clear();
}

std::optional<v1::Free> Pool::Take(const std::string& function_key, const std::string& revision,
                                   TimePoint now) {
  const auto entries = functions_.find(function_key);
  if (entries == functions_.end()) return std::nullopt;
  const auto rank = [&](const Entry& entry) {
    const bool ours = IsOurs(entry.free);
    return std::make_tuple(entry.free.revision() != revision, !entry.free.live(), !ours,
                           ours ? entry.free.since() : -entry.free.since());
  };
  Entry* best = nullptr;
  for (auto& [uid, entry] : entries->second) {
    if (now < entry.ours_from) continue;
    if (best == nullptr || rank(entry) < rank(*best)) best = &entry;
  }
  if (best == nullptr) return std::nullopt;
  v1::Free taken = best->free;
  if (taken.slots() <= 1) {
    Remove(taken.pod_uid());
  } else {  // the operator tells the true number once it knows of the session
    best->free.set_slots(taken.slots() - 1);
    best->free.set_live(true);
  }
  return taken;
}

std::optional<TimePoint> Pool::NextChance(const std::string& function_key) const {
  std::optional<TimePoint> next;
  const auto entries = functions_.find(function_key);
  if (entries == functions_.end()) return next;
  for (const auto& [uid, entry] : entries->second) {
    next = next ? std::min(*next, entry.ours_from) : entry.ours_from;
  }
  return next;
}

}  // namespace wsf::fleet
