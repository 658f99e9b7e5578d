// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>

#include "common/base/time.h"
#include "common/websocket/frame_walk.h"

namespace wsf::session {

/// How fast one client may talk (A11, S1-05, S1-06), as a pure rule that takes `now`.
///
/// Bytes: a token bucket that holds one second's worth, counted over all payload bytes. Messages: a
/// strict sliding window; a message begins its last frame only when fewer than the limit were
/// completed within the last second. 0 switches either off.
///
/// Threading: not synchronized; confined to the session's thread.
class Rate {
 public:
  /// The greatest limit of either kind: beyond it nanoseconds overflow.
  static constexpr std::uint32_t kGreatest = 1u << 30;

  /// REQUIRES: neither is above kGreatest.
  Rate(std::uint64_t bytes_per_second, std::uint32_t messages_per_second)
      : bytes_per_second_(bytes_per_second), messages_per_second_(messages_per_second) {}

  /// What may be relayed at `now`.
  websocket::Allowance Allow(TimePoint now);

  /// What was relayed at `now`. REQUIRES: not more than Allow(now) gave.
  void Use(const websocket::Allowance& used, TimePoint now);

  /// When Allow() gives something worth waking up for. REQUIRES: something was held back at `now`.
  TimePoint NextChance(TimePoint now) const;

 private:
  bool bytes_limited() const { return bytes_per_second_ > 0; }
  bool messages_limited() const { return messages_per_second_ > 0; }

  std::uint64_t bytes_per_second_;
  std::uint32_t messages_per_second_;
  TimePoint full_at_;                // when the bucket is full again, if nothing is used
  std::deque<TimePoint> completed_;  // messages of the last second, oldest first
};

}  // namespace wsf::session
