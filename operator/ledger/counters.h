// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// How many sessions ended with which status code, and what is billed: of one function
/// (`status.sessions`, kubernetes.md section 1) or of one instance.
struct Counters {
  std::int64_t total = 0;
  std::int64_t established = 0;
  std::int64_t billed_ms = 0;
  std::map<int, std::int64_t> by_code;

  void Add(const v1::SessionRecord& record);
  void Add(const Counters& other);
  bool operator==(const Counters&) const = default;

  nlohmann::json ToJson() const;
  /// What is missing or of a wrong type reads as 0.
  static Counters FromJson(const nlohmann::json& sessions);
  /// From a sidecar's cumulative totals: its open sessions are not in them.
  static Counters FromTotals(const v1::InstanceTotals& totals);
};

}  // namespace wsf::ledger
