// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "wsf/v1/record.pb.h"

namespace wsf {

/// What RecordJson() has written of a relay's record: the names of its instance are left out, and
/// what is missing or of a wrong type reads as nothing. Whoever may write a status may have made it
/// up.
v1::SessionRecord ReadRecord(const nlohmann::json& json);

/// What an ended relay left behind in its termination message (common/record/step.h).
struct Remains {
  std::vector<v1::SessionRecord> records;
  /// Of an instance with concurrency > 1, whose message holds no single record.
  std::optional<v1::InstanceTotals> totals;
};

/// Reads a termination message: the record it holds, or, when the relay died at `claimed` or
/// `live` or with sessions open, synthetic ones with code 500 (P18); nothing when the instance
/// never carried a connection, or when no sidecar wrote it. `ended` (Unix microseconds) is the end
/// of synthetic ones.
Remains ReadTerminationMessage(const std::string& message, std::int64_t ended);

/// A record of a session whose sidecar said nothing: code 500 InternalError. Times are Unix
/// microseconds; 0 = not known.
v1::SessionRecord SyntheticRecord(const std::string& request_id, std::int64_t request_start,
                                  std::int64_t established, std::int64_t ended);

/// A whole number of `object` from 0 to 2^53; 0 where it is missing or anything else.
std::int64_t Number(const nlohmann::json& object, const char* name);

}  // namespace wsf
