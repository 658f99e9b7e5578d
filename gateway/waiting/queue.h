// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <string>

namespace wsf::waiting {

/// The held handshakes of each function, first in first out (H30), bounded.
///
/// Pure; not synchronized. T identifies a waiter and is compared by value.
template <typename T>
class Queue {
 public:
  explicit Queue(std::size_t greatest) : greatest_(greatest) {}

  /// False when the function's queue is full.
  bool Join(const std::string& function_key, T waiter) {
    std::deque<T>& line = lines_[function_key];
    if (line.size() >= greatest_) return false;
    line.push_back(waiter);
    return true;
  }
  void Leave(const std::string& function_key, const T& waiter) {
    const auto found = lines_.find(function_key);
    if (found == lines_.end()) return;
    std::erase(found->second, waiter);
    if (found->second.empty()) lines_.erase(found);
  }
  /// The one who has waited longest; nullptr when nobody waits.
  const T* First(const std::string& function_key) const {
    const auto found = lines_.find(function_key);
    return found == lines_.end() ? nullptr : &found->second.front();
  }
  const std::map<std::string, std::deque<T>>& lines() const { return lines_; }

 private:
  const std::size_t greatest_;
  std::map<std::string, std::deque<T>> lines_;
};

}  // namespace wsf::waiting
