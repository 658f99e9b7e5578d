// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/rate.h"

#include <algorithm>

namespace wsf::session {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr nanoseconds kWindow = seconds(1);

// A large message is let go in steps of this: shorter is smoother, longer wakes up less often.
constexpr nanoseconds kStep = kWindow / 16;

}  // namespace

websocket::Allowance Rate::Allow(TimePoint now) {
  websocket::Allowance allowance;
  if (bytes_limited()) {
    const nanoseconds owed = std::max(nanoseconds(0), nanoseconds(full_at_ - now));
    const auto saved = static_cast<std::uint64_t>((kWindow - std::min(owed, kWindow)).count());
    allowance.bytes = saved * bytes_per_second_ / static_cast<std::uint64_t>(kWindow.count());
  }
  if (messages_limited()) {
    while (!completed_.empty() && completed_.front() + kWindow <= now) completed_.pop_front();
    allowance.messages = messages_per_second_ - completed_.size();
  }
  return allowance;
}

void Rate::Use(const websocket::Allowance& used, TimePoint now) {
  if (bytes_limited()) {
    const auto window = static_cast<std::uint64_t>(kWindow.count());
    const std::uint64_t cost = (used.bytes * window + bytes_per_second_ - 1) / bytes_per_second_;
    full_at_ = std::max(full_at_, now) + nanoseconds(cost);
  }
  if (messages_limited()) completed_.insert(completed_.end(), used.messages, now);
}

TimePoint Rate::NextChance(TimePoint now) const {
  TimePoint next = TimePoint::max();
  if (messages_limited() && completed_.size() >= messages_per_second_) {
    next = completed_.front() + kWindow;
  }
  if (!bytes_limited()) return next;
  const nanoseconds one_byte(kWindow.count() / static_cast<std::int64_t>(bytes_per_second_) + 1);
  const TimePoint enough = full_at_ - kWindow + std::max(kStep, one_byte);
  return enough > now ? std::min(next, enough) : next;
}

}  // namespace wsf::session
