// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace wsf::door {

/// How full this process's memory is, so that load is shed before the kernel ends every session at
/// once (faults.md 44).
///
/// Threading: not synchronized.
class Memory {
 public:
  /// `limit_bytes` 0 = none.
  explicit Memory(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// Whether new handshakes are refused: at 92 % of the limit. Looked up at most ten times a
  /// second.
  bool IsShort(TimePoint now);

 private:
  const std::uint64_t limit_bytes_;
  TimePoint looked_up_;
  bool is_short_ = false;
};

/// The memory limit of this process's control group; 0 = none.
std::uint64_t ControlGroupLimit();

}  // namespace wsf::door
