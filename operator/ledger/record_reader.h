// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/instances/pod.h"
#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// What an ended relay left behind in its termination message.
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

/// A record of a session whose sidecar said nothing: code 500 InternalError.
v1::SessionRecord SyntheticRecord(const std::string& request_id, std::int64_t request_start,
                                  std::int64_t established, std::int64_t ended);

/// Fills in what the sidecar does not know: the names.
void Complete(const instances::Pod& pod, v1::SessionRecord* record);

}  // namespace wsf::ledger
