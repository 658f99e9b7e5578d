// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "common/base/ids.h"
#include "operator/fleet/fleet.h"
#include "wsf/v1/record.pb.h"

namespace wsf::control {

/// The last records of each function, for people to look at; the counters are the truth
/// (contracts.md). In memory: a new operator begins with none.
///
/// Threading: confined to the operator's thread.
class History {
 public:
  static constexpr std::size_t kMaxPerFunction = 1000;
  /// Of all functions together, 0.7 KB each; the function with the most loses its oldest.
  static constexpr std::size_t kMaxRecords = 20'000;

  void Add(const v1::SessionRecord& record);
  /// A function that is gone has no history.
  void Forget(const std::string& function_key) { size_ -= Drop(function_key); }

  struct Query {
    std::string ns;        ///< "" = all
    std::string function;  ///< "" = all
    std::string after;     ///< a cursor of an earlier answer: only what was added since; "" = all
  };
  /// What GET /sessions answers, as JSON: `live` by start, `records` by end, oldest first, and
  /// `cursor`.
  std::string Describe(const fleet::Fleet& fleet, const Query& query) const;

  std::size_t size() const { return size_; }

 private:
  struct Line {
    std::uint64_t number;  // in the order of adding
    std::int64_t ended;    // Unix time in microseconds
    std::string json;
  };

  std::size_t Drop(const std::string& function_key);
  void DropOldestOfLargest();
  std::uint64_t NumberOf(const std::string& cursor) const;

  const std::string process_ = NewUuid();  // another operator's cursors say nothing here
  std::uint64_t next_ = 1;
  std::size_t size_ = 0;
  std::map<std::string, std::deque<Line>> records_;  // by function key
};

}  // namespace wsf::control
