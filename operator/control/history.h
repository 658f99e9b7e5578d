// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

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

  void Add(const v1::SessionRecord& record);

  /// What GET /sessions answers: `live` and `records`, oldest first. `ns` and `function` "" = all.
  nlohmann::json Describe(const fleet::Fleet& fleet, const std::string& ns,
                          const std::string& function) const;

 private:
  std::map<std::string, std::deque<std::string>> records_;  // JSON, by function key
};

}  // namespace wsf::control
