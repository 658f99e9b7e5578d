// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/clocks.h"

#include <algorithm>

namespace wsf::session {
namespace {

using std::chrono::seconds;

constexpr auto kLate = seconds(1);
constexpr auto kTimeToRead = seconds(2);

}  // namespace

void Clocks::Looked(TimePoint now) {
  const Duration late = now - (idle_from_ + idle_);
  if (!idle_clock_is_on() || late <= kLate) return;
  idle_from_ += late + kTimeToRead;
  last_message_ += late + kTimeToRead;
}

TimePoint Clocks::NextDeadline() const {
  return idle_clock_is_on() ? std::min(idle_from_ + idle_, end_) : end_;
}

std::optional<EndKind> Clocks::Check(TimePoint now) const {
  if (idle_clock_is_on() && now >= idle_from_ + idle_) return EndKind::kIdleTimeout;
  if (now < end_) return std::nullopt;
  const bool was_idle = idle_clock_is_on() && now >= last_message_ + idle_;
  return was_idle ? EndKind::kIdleTimeout : EndKind::kExecutionTimeout;
}

}  // namespace wsf::session
