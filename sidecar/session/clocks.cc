// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/clocks.h"

#include <algorithm>

namespace wsf::session {

TimePoint Clocks::NextDeadline() const {
  return idle_clock_is_on() ? std::min(last_data_ + idle_, end_) : end_;
}

std::optional<EndKind> Clocks::Check(TimePoint now) const {
  if (idle_clock_is_on() && now >= last_data_ + idle_) return EndKind::kIdleTimeout;
  if (now >= end_) return EndKind::kExecutionTimeout;
  return std::nullopt;
}

}  // namespace wsf::session
