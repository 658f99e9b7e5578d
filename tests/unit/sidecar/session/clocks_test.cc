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

// One timeline in whole seconds: when the 101 came, at which ticks a message passed, and whether a
// message of the same tick comes before the timer is looked at.
struct Timeline {
  int idle, execution, established;
  unsigned messages;  // bit t: one at tick t
  bool message_first;
};

struct Ending {
  int tick;
  EndKind kind;
  bool operator==(const Ending&) const = default;
};

bool HasMessage(const Timeline& line, int tick) {
  return tick >= line.established && ((line.messages >> tick) & 1u) != 0;
}

// The plain reading of behaviour.md 7.4 and A9, tick by tick.
Ending Reference(const Timeline& line) {
  int last_data = 0;  // = request start while there was none
  int idle_from = 0;
  for (int tick = 0;; ++tick) {
    if (tick == line.established) idle_from = tick;
    if (line.message_first && HasMessage(line, tick)) last_data = idle_from = tick;
    if (line.idle > 0 && tick - idle_from >= line.idle) return {tick, EndKind::kIdleTimeout};
    if (tick >= line.execution) {
      const bool idle = line.idle > 0 && tick - last_data >= line.idle;
      return {tick, idle ? EndKind::kIdleTimeout : EndKind::kExecutionTimeout};
    }
    if (!line.message_first && HasMessage(line, tick)) last_data = idle_from = tick;
  }
}

Ending Play(const Timeline& line) {
  Clocks clocks(kStart, std::chrono::seconds(line.idle), std::chrono::seconds(line.execution));
  for (int tick = 0;; ++tick) {
    const TimePoint now = kStart + std::chrono::seconds(tick);
    if (tick == line.established) clocks.Established(now);
    if (line.message_first && HasMessage(line, tick)) clocks.Touch(now);
    if (const auto end = clocks.Check(now)) return {tick, *end};
    EXPECT_GT(clocks.NextDeadline(), now) << "a timer that fires for nothing";
    if (!line.message_first && HasMessage(line, tick)) clocks.Touch(now);
  }
}

TEST(Clocks, Fault41_A9_EveryRaceOfMessagesAndBothTimersHasOneEnd) {
  int lines = 0;
  for (int idle = 0; idle <= 4; ++idle) {
    for (int execution = std::max(1, idle); execution <= 9; ++execution) {
      for (int established = 0; established <= 2; ++established) {
        for (unsigned messages = 0; messages < 1u << 10; ++messages) {
          for (const bool message_first : {false, true}) {
            const Timeline line = {idle, execution, established, messages, message_first};
            const Ending expected = Reference(line);
            const Ending actual = Play(line);
            ASSERT_EQ(actual.tick, expected.tick) << idle << execution << established << messages;
            ASSERT_EQ(actual.kind, expected.kind) << idle << execution << established << messages;
            ++lines;
          }
        }
      }
    }
  }
  EXPECT_GT(lines, 100'000);
}

}  // namespace
}  // namespace wsf::session
