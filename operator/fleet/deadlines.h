// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace wsf::fleet {

/// What is to be looked at again, and when: one moment for each name.
///
/// Pure; not synchronized.
class Deadlines {
 public:
  /// Replaces the moment of that name; nothing = none.
  void Set(const std::string& name, std::optional<TimePoint> at) {
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) {
      if (at == known->second) return;
      by_time_.erase({known->second, name});
      by_name_.erase(known);
    }
    if (!at) return;
    by_name_.emplace(name, *at);
    by_time_.emplace(*at, name);
  }

  /// The names whose moment has come; they have none any more.
  std::vector<std::string> TakeDue(TimePoint now) {
    std::vector<std::string> due;
    while (!by_time_.empty() && by_time_.begin()->first <= now) {
      due.push_back(by_time_.begin()->second);
      by_name_.erase(due.back());
      by_time_.erase(by_time_.begin());
    }
    return due;
  }

  /// The first moment after `now`.
  std::optional<TimePoint> Next(TimePoint now) const {
    const auto next = by_time_.lower_bound({now + Duration(1), ""});
    return next == by_time_.end() ? std::nullopt : std::optional(next->first);
  }

 private:
  std::map<std::string, TimePoint> by_name_;
  std::set<std::pair<TimePoint, std::string>> by_time_;
};

}  // namespace wsf::fleet
