// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace wsf {

/// A token bucket: `size` at once, and then one every `step`.
///
/// Pure; not synchronized.
class Bucket {
 public:
  /// REQUIRES: size > 0, step > 0.
  Bucket(Duration step, int size) : step_(step), full_after_(step * size) {}

  /// Takes one; false when there is none now.
  bool Take(TimePoint now) {
    if (now < Next()) return false;
    full_at_ = std::max(full_at_, now) + step_;
    return true;
  }
  /// When Take() works again.
  TimePoint Next() const { return full_at_ + step_ - full_after_; }

 private:
  const Duration step_;
  const Duration full_after_;
  TimePoint full_at_;  // when it is full again
};

}  // namespace wsf
