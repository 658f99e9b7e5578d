// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/time.h"
#include "wsf/v1/fleet.pb.h"

namespace wsf::fleet {

/// The free instances this gateway has been told of. A hint, not a lease: the sidecar decides (I1).
///
/// Pure; not synchronized.
class Pool {
 public:
  /// `self` is this gateway's id. An instance whose home is another gateway is left to it for
  /// `head_start` after it was told.
  Pool(std::string self, Duration head_start) : self_(std::move(self)), head_start_(head_start) {}

  void Add(const v1::Free& free, TimePoint now);
  void Remove(const std::string& pod_uid);
  /// As in route::Table: what is not added again until DropMarked is gone.
  void MarkAll();
  void DropMarked();

  /// Takes a slot of an instance of the function: of the current revision first, then of one that
  /// is live already, then of one at home here, the oldest first. Of other gateways' homes the
  /// newest first, so that two gateways meet at the last instance only.
  std::optional<v1::Free> Take(const std::string& function_key, const std::string& revision,
                               TimePoint now);
  /// When an instance of the function that is another's now may be taken; nothing when none is.
  std::optional<TimePoint> NextChance(const std::string& function_key) const;

 private:
  struct Entry {
    v1::Free free;
    TimePoint ours_from;
  };

  using Entries = std::map<std::string, Entry>;  // by pod uid

  bool IsOurs(const v1::Free& free) const { return free.home().empty() || free.home() == self_; }

  const std::string self_;
  const Duration head_start_;
  std::map<std::string, Entries> functions_;  // by function key; none is empty
  std::map<std::string, std::string> keys_;   // function key by pod uid
  std::set<std::string> marked_;
};

}  // namespace wsf::fleet
