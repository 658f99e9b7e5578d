// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wsf/v1/record.pb.h"

namespace wsf {

// The texts that a relay keeps in its termination message, step by step; reader.h reads them again.
// While the instance has carried one session only it is that session's step or its record:
//
//     {"state":"claimed","requestId":...,"requestStart":...}
//     {"state":"live",...,"established":...}
//     {"requestId":...,"statusCode":...}                          the record, of RecordJson()
//
// From the second session on (instanceConcurrency > 1) it is the instance's totals, and the
// sessions that are open, each in 22 characters, so that a hundred of them fit:
//
//     {"totals":{"byCode":{"200":2},"established":3,"billedMilliseconds":15},
//      "liveSince":...,"open":["AZGKlNt2cACAAAAAAAAAAA"]}

/// Times are Unix microseconds; `established` 0 = claimed, and no 101 was passed on yet.
std::string OpenJson(const std::string& request_id, std::int64_t request_start,
                     std::int64_t established);

/// `live_since` (Unix microseconds): since when a session has been live without a pause; 0 = none
/// is. `open`: request ids.
std::string SharedJson(const v1::InstanceTotals& totals, std::int64_t live_since,
                       const std::vector<std::string>& open);

}  // namespace wsf
