// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// `status.sessions` of one function (kubernetes.md section 1).
struct Counters {
  std::int64_t total = 0;
  std::int64_t established = 0;
  std::int64_t billed_ms = 0;
  std::map<int, std::int64_t> by_code;

  void Add(const v1::SessionRecord& record);
  nlohmann::json ToJson() const;
  static Counters FromJson(const nlohmann::json& sessions);
};

}  // namespace wsf::ledger
