// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.h"

namespace wsf::door {

/// How full this process's memory is, so that load is shed before the kernel ends every session at
/// once (faults.md 44).
///
/// Threading: not synchronized.
class Memory {
 public:
  /// `limit_bytes` is for what this process has resident. 0 = what its control group may use, and
  /// there the buffers of sockets count too; no limit where that has none. `groups` is where the
  /// group's files are.
  explicit Memory(std::uint64_t limit_bytes, const std::string& groups = "/sys/fs/cgroup");

  /// Whether new handshakes are refused: at 92 % of the limit. Looked up at most ten times a
  /// second.
  bool IsShort(TimePoint now);

 private:
  std::uint64_t UsedBytes() const;

  std::uint64_t limit_bytes_;
  // The control group's files, where its limit holds.
  std::string used_path_;
  std::string stat_path_;
  std::string reclaimable_;  // a line of the latter
  TimePoint looked_up_;
  bool is_short_ = false;
};

}  // namespace wsf::door
