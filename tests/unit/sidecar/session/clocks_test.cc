// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/clocks.h"

#include <gtest/gtest.h>

namespace wsf::session {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

TEST(Clocks, P01_FiresAtTheIdleTimeoutAndNotBefore) {
  const Clocks clocks(kStart, 15s, 7200s);
  EXPECT_EQ(clocks.NextDeadline(), kStart + 15s);
  EXPECT_EQ(clocks.Check(kStart + 15s - 1ns), std::nullopt);
  EXPECT_EQ(clocks.Check(kStart + 15s), EndKind::kIdleTimeout);
}

TEST(Clocks, P03_P04_AMessageInEitherDirectionRestartsTheIdlePeriod) {
  Clocks clocks(kStart, 15s, 7200s);
  clocks.Touch(kStart + 14s);
  EXPECT_EQ(clocks.Check(kStart + 15s), std::nullopt);
  EXPECT_EQ(clocks.NextDeadline(), kStart + 29s);
}

TEST(Clocks, P05_EndsAConnectionInUseAtTheExecutionTimeout) {
  Clocks clocks(kStart, 15s, 60s);
  clocks.Touch(kStart + 50s);
  EXPECT_EQ(clocks.Check(kStart + 60s), EndKind::kExecutionTimeout);
}

TEST(Clocks, P06_IdleZeroLeavesOnlyTheExecutionClock) {
  const Clocks clocks(kStart, 0s, 60s);
  EXPECT_EQ(clocks.NextDeadline(), kStart + 60s);
  EXPECT_EQ(clocks.Check(kStart + 60s), EndKind::kExecutionTimeout);
}

TEST(Clocks, P07_IdleWinsWhenBothAreDue) {
  Clocks clocks(kStart, 60s, 60s);
  clocks.Established(kStart + 1s);  // the tie counts from the request's start (A9)
  EXPECT_EQ(clocks.Check(kStart + 60s), EndKind::kIdleTimeout);
}

TEST(Clocks, A9_TheIdleClockStartsAtThe101) {
  Clocks clocks(kStart, 15s, 7200s);
  clocks.Established(kStart + 10s);
  EXPECT_EQ(clocks.NextDeadline(), kStart + 25s);
  EXPECT_EQ(clocks.Check(kStart + 24s), std::nullopt);
}

}  // namespace
}  // namespace wsf::session
