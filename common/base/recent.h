// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace wsf {

/// The last `greatest` names that were added, each with a value. An empty one takes no memory of
/// its own.
///
/// Pure; not synchronized.
template <typename T>
class Recent {
 public:
  explicit Recent(std::size_t greatest) : greatest_(greatest) {}

  /// REQUIRES: the name is not known.
  void Add(const std::string& name, T value) {
    values_.emplace(name, value);
    if (order_.size() < greatest_) {
      order_.push_back(name);
      return;
    }
    values_.erase(order_[next_]);
    order_[next_] = name;
    next_ = (next_ + 1) % greatest_;
  }

  /// nullptr when it is not known, or forgotten.
  const T* Find(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }

 private:
  const std::size_t greatest_;
  std::map<std::string, T> values_;
  std::vector<std::string> order_;  // a ring, once it is full
  std::size_t next_ = 0;            // the oldest of it
};

}  // namespace wsf
