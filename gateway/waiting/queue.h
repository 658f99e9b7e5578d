// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace wsf::waiting {

/// The held handshakes of each function, first in first out (H30), bounded. Who has lost a race and
/// comes back gets the place that it had.
///
/// Pure; not synchronized. T identifies a waiter and is compared by value.
template <typename T>
class Queue {
 public:
  explicit Queue(std::size_t greatest) : greatest_(greatest) {}

  /// `since` is when it came, in any unit. False when the function's queue is full.
  bool Join(const std::string& function_key, T waiter, std::int64_t since) {
    const auto found = lines_.find(function_key);
    if (found != lines_.end() && found->second.size() >= greatest_) return false;
    Return(function_key, waiter, since);
    return true;
  }
  /// As Join, of one who was let in before.
  void Return(const std::string& function_key, T waiter, std::int64_t since) {
    Line& line = lines_[function_key];
    const auto place = std::find_if(line.rbegin(), line.rend(), [since](const Place& each) {
                         return each.since <= since;
                       }).base();
    line.insert(place, {waiter, since});
  }
  void Leave(const std::string& function_key, const T& waiter) {
    const auto found = lines_.find(function_key);
    if (found == lines_.end()) return;
    std::erase_if(found->second, [&waiter](const Place& each) { return each.waiter == waiter; });
    if (found->second.empty()) lines_.erase(found);
  }
  /// The one who has waited longest; nullptr when nobody waits.
  const T* First(const std::string& function_key) const {
    const auto found = lines_.find(function_key);
    return found == lines_.end() ? nullptr : &found->second.front().waiter;
  }

  struct Place {
    T waiter;
    std::int64_t since = 0;
  };
  using Line = std::deque<Place>;
  const std::map<std::string, Line>& lines() const { return lines_; }

 private:
  const std::size_t greatest_;
  std::map<std::string, Line> lines_;
};

}  // namespace wsf::waiting
