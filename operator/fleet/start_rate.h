// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace wsf::fleet {

/// How fast instances are started (H06): a bucket that holds a minute's worth.
///
/// Pure; not synchronized.
class StartRate {
 public:
  /// REQUIRES: per_minute > 0.
  explicit StartRate(int per_minute) : step_(kMinute / per_minute) {}

  /// Takes one start; false when there is none now.
  bool Take(TimePoint now) {
    if (now < Next()) return false;
    full_at_ = std::max(full_at_, now) + step_;
    return true;
  }
  /// When Take() works again.
  TimePoint Next() const { return full_at_ + step_ - kMinute; }

 private:
  static constexpr Duration kMinute = std::chrono::minutes(1);

  Duration step_;
  TimePoint full_at_;  // when the bucket is full again
};

}  // namespace wsf::fleet
