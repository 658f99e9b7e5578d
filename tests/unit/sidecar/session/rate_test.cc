// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/rate.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace wsf::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using websocket::Allowance;

const TimePoint kStart = TimePoint() + std::chrono::hours(1);

// Sends `sizes` as fast as the rate lets them go; when each was complete.
std::vector<TimePoint> SendAll(Rate rate, const std::vector<std::uint64_t>& sizes) {
  std::vector<TimePoint> completed;
  TimePoint now = kStart;
  for (std::uint64_t left : sizes) {
    while (true) {
      const Allowance allowance = rate.Allow(now);
      const std::uint64_t sent = allowance.messages == 0 ? 0 : std::min(left, allowance.bytes);
      left -= sent;
      const bool done = left == 0 && allowance.messages > 0;
      rate.Use({sent, done ? std::uint64_t{1} : 0}, now);
      if (done) break;
      const TimePoint next = rate.NextChance(now);
      EXPECT_GT(next, now);
      now = next;
    }
    completed.push_back(now);
  }
  return completed;
}

TEST(Rate, S1_06_P12_AHundredMessagesAtOnceTakeNineSeconds) {
  const auto completed = SendAll(Rate(131072, 10), std::vector<std::uint64_t>(100, 1));
  EXPECT_EQ(completed[9], kStart);
  EXPECT_EQ(completed[10], kStart + seconds(1));
  EXPECT_EQ(completed[99], kStart + seconds(9));
}

TEST(Rate, S1_05_OneMebibyteTakesSevenSecondsBehindTheFirstBurst) {
  const auto completed = SendAll(Rate(131072, 0), std::vector<std::uint64_t>(128, 8192));
  EXPECT_EQ(completed[15], kStart);
  EXPECT_GE(completed[127], kStart + seconds(7));
  EXPECT_LT(completed[127], kStart + seconds(7) + milliseconds(70));
}

TEST(Rate, S1_06_NoWindowOfASecondEverHoldsMoreThanTheLimit) {
  std::mt19937 random(3);
  Rate rate(0, 10);
  std::vector<TimePoint> completed;
  TimePoint now = kStart;
  for (int i = 0; i < 2000; ++i) {
    now += milliseconds(random() % 200);
    const bool allowed = rate.Allow(now).messages > 0;
    if (!allowed) continue;
    rate.Use({0, 1}, now);
    completed.push_back(now);
    const std::size_t n = completed.size();
    if (n <= 10) continue;
    EXPECT_GE(completed[n - 1] - completed[n - 11], seconds(1));
  }
  EXPECT_GT(completed.size(), 1000u);
}

TEST(Rate, S1_05_NoSpanHoldsMoreThanItsSecondsAndOneBurst) {
  std::mt19937 random(4);
  Rate rate(1000, 0);
  TimePoint now = kStart;
  std::uint64_t sent = 0;
  for (int i = 0; i < 5000; ++i) {
    now += std::chrono::microseconds(random() % 20000);
    const std::uint64_t bytes = rate.Allow(now).bytes;
    EXPECT_LE(bytes, 1000u);
    rate.Use({bytes, 0}, now);
    sent += bytes;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - kStart);
    EXPECT_LE(sent, 1000u + static_cast<std::uint64_t>(micros.count()) / 1000);
  }
}

TEST(Rate, S1_07_ZeroSwitchesALimitOff) {
  Rate rate(0, 0);
  rate.Use({1'000'000, 1000}, kStart);
  EXPECT_EQ(rate.Allow(kStart).bytes, UINT64_MAX);
  EXPECT_EQ(rate.Allow(kStart).messages, UINT64_MAX);
}

}  // namespace
}  // namespace wsf::session
