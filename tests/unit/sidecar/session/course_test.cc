// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/course.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/sidecar/session/course_rig.h"

namespace wsf::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint() + std::chrono::hours(1);

struct Rig {
  explicit Rig(const Settings& wanted = Unlimited()) : settings(wanted) { course.Start(kStart); }
  static Settings Unlimited() {
    Settings settings;
    settings.request_bytes_per_second = 0;
    settings.requests_per_second = 0;
    return settings;
  }
  Verdict Judged() const { return Judge(course.outcome()->end, settings); }

  Settings settings;
  FakeOutlet to_client;
  FakeOutlet to_server;
  Course course{&to_client, &to_server, settings,
                Clocks(kStart, settings.idle_timeout, settings.execution_timeout), 0};
};

std::string Text(Peer from, std::string_view text = "hello") { return FrameOf(from, 1, text); }

TEST(Course, P12_S1_08_AThrottledClientIsHeldBackAndNothingIsLost) {
  Settings settings = Rig::Unlimited();
  settings.requests_per_second = 2;
  Rig rig(settings);
  std::string sent;
  for (int i = 0; i < 5; ++i) sent += Text(Peer::kClient, std::to_string(i));
  Give(&rig.course, Peer::kClient, sent, kStart);
  EXPECT_EQ(rig.to_server.taken, sent.substr(0, sent.size() / 5 * 2));
  EXPECT_FALSE(rig.course.Reads(Peer::kClient));
  EXPECT_TRUE(rig.course.Reads(Peer::kServer));
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(1));
  rig.course.OnTime(kStart + seconds(1));
  rig.course.OnTime(kStart + seconds(2));
  EXPECT_EQ(rig.to_server.taken, sent);
  EXPECT_TRUE(rig.course.Reads(Peer::kClient));
  Give(&rig.course, Peer::kClient, CloseOf(Peer::kClient, 1000), kStart + seconds(3));
  Give(&rig.course, Peer::kServer, CloseOf(Peer::kServer, 1000), kStart + seconds(3));
  EXPECT_EQ(rig.course.outcome()->throttled, seconds(2));
}

TEST(Course, P12_ACloseWaitsItsTurnBehindThrottledMessages) {
  Settings settings = Rig::Unlimited();
  settings.requests_per_second = 1;
  Rig rig(settings);
  const std::string sent = Text(Peer::kClient) + Text(Peer::kClient) + CloseOf(Peer::kClient, 1000);
  Give(&rig.course, Peer::kClient, sent, kStart);
  EXPECT_NE(rig.to_server.taken, sent);
  rig.course.OnTime(kStart + seconds(1));
  EXPECT_EQ(rig.to_server.taken, sent);
}

TEST(Course, P13_AClientThatIsTooFastIsToldSoWhereTheFunctionSaysClose) {
  Settings settings = Rig::Unlimited();
  settings.requests_per_second = 1;
  settings.on_rate = RateAction::kClose;
  Rig rig(settings);
  Give(&rig.course, Peer::kClient, Text(Peer::kClient) + Text(Peer::kClient), kStart);
  EXPECT_EQ(rig.Judged().status_code, 429);
  EXPECT_EQ(rig.to_client.taken,
            websocket::CloseFrame(1008, "rate limit", websocket::Mask::kUnmasked));
}

TEST(Course, P14_PingsAreNoMessages) {
  Settings settings = Rig::Unlimited();
  settings.requests_per_second = 1;
  Rig rig(settings);
  std::string pings;
  for (int i = 0; i < 50; ++i) pings += FrameOf(Peer::kClient, 9, "p");
  Give(&rig.course, Peer::kClient, pings, kStart);
  EXPECT_EQ(rig.to_server.taken, pings);
}

TEST(Course, P02_ControlFramesDoNotRestartTheIdleClock) {
  Rig rig;
  Give(&rig.course, Peer::kServer, FrameOf(Peer::kServer, 9, ""), kStart + seconds(14));
  rig.course.OnTime(kStart + seconds(15));
  EXPECT_EQ(rig.Judged().status_code, 455);
}

TEST(Course, P02_ControlFramesRestartItWhereTheFunctionSaysSo) {
  Settings settings = Rig::Unlimited();
  settings.idle_counts_control_frames = true;
  Rig rig(settings);
  Give(&rig.course, Peer::kServer, FrameOf(Peer::kServer, 9, ""), kStart + seconds(14));
  rig.course.OnTime(kStart + seconds(15));
  EXPECT_FALSE(rig.course.outcome());
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(29));
}

TEST(Course, P02_APingThatWaitedForASlowPeerIsNoActivity) {
  Rig rig;
  rig.to_client.capacity = 0;
  Give(&rig.course, Peer::kServer, FrameOf(Peer::kServer, 9, ""), kStart + seconds(1));
  rig.to_client.Drain(100);
  rig.course.OnWritten(Peer::kClient, kStart + seconds(14));
  rig.course.OnTime(kStart + seconds(15));
  EXPECT_EQ(rig.Judged().status_code, 455);
}

TEST(Course, P08_TheIdleClockIsSilentBehindTheFirstClose) {
  Settings settings = Rig::Unlimited();
  settings.close_timeout = seconds(20);
  Rig rig(settings);
  Give(&rig.course, Peer::kClient, CloseOf(Peer::kClient, 1000), kStart + seconds(10));
  rig.course.OnTime(kStart + seconds(25));
  EXPECT_FALSE(rig.course.outcome());
  rig.course.OnTime(kStart + seconds(30));
  EXPECT_EQ(rig.Judged().status_code, 200);
  EXPECT_EQ(rig.course.outcome()->close_handshake, CloseHandshake::kTimeout);
}

TEST(Course, I8_ASlowPeerStopsTheOther) {
  Rig rig;
  rig.to_client.capacity = 3;
  Give(&rig.course, Peer::kServer, Text(Peer::kServer), kStart);
  EXPECT_FALSE(rig.course.Reads(Peer::kServer));
  EXPECT_TRUE(rig.course.Reads(Peer::kClient));
  rig.to_client.Drain(100);
  rig.course.OnWritten(Peer::kClient, kStart);
  EXPECT_TRUE(rig.course.Reads(Peer::kServer));
}

TEST(Course, S9_3_NoFrameOfOurOwnIsPutWithinAFrame) {
  Settings settings = Rig::Unlimited();
  settings.request_bytes_per_second = 100;
  Rig rig(settings);
  const std::string sent = Text(Peer::kClient, std::string(120, 'x'));
  Give(&rig.course, Peer::kClient, sent, kStart);
  rig.course.EndBy(EndKind::kFunctionStopped, kStart);
  EXPECT_EQ(rig.to_server.taken, sent.substr(0, 6 + 100));
  EXPECT_TRUE(rig.to_server.finished);
  EXPECT_NE(rig.to_client.taken, "");
}

// faults.md 41: two closes, a loss, a limit and a timer in every order.
TEST(Course, F41_EveryOrderOfTerminalEventsGivesTheVerdictOfTheFirst) {
  struct Event {
    int status_code;
    std::function<void(Course*, TimePoint)> happens;
  };
  const std::string large = FrameOf(Peer::kServer, 2, std::string(2000, 'x'));
  const std::vector<Event> events = {
      {200,
       [](Course* c, TimePoint t) { Give(c, Peer::kClient, CloseOf(Peer::kClient, 1000), t); }},
      {439,
       [](Course* c, TimePoint t) { Give(c, Peer::kServer, CloseOf(Peer::kServer, 4000), t); }},
      {456, [](Course* c, TimePoint t) { c->OnEof(Peer::kClient, t); }},
      {407, [&](Course* c, TimePoint t) { Give(c, Peer::kServer, large, t); }},
      {433, [](Course* c, TimePoint t) { c->OnTime(t); }}};
  Settings settings = Rig::Unlimited();
  settings.max_message_bytes = 1000;
  settings.idle_timeout = seconds(0);
  settings.execution_timeout = seconds(100);
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  int orders = 0;
  do {
    Rig rig(settings);
    TimePoint now = kStart + seconds(100);  // whenever it is asked, the time is over
    for (const std::size_t i : order) events[i].happens(&rig.course, now += milliseconds(1));
    rig.course.OnTime(now + seconds(11));
    ASSERT_TRUE(rig.course.outcome());
    EXPECT_EQ(rig.Judged().status_code, events[order[0]].status_code);
    rig.course.OnTime(now + seconds(14));
    EXPECT_TRUE(rig.course.gone());
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 120);
}

// ---- E08, E10: a client breaks the protocol ----

const std::string kBadFrame = FrameOf(Peer::kClient, 3, "bad opcode");

std::string OurClose(int code) {
  return websocket::CloseFrame(static_cast<std::uint16_t>(code), "", websocket::Mask::kUnmasked);
}

TEST(Course, E08_E10_TheClientOfAViolationIsToldOurCodeAndNotItsServers) {
  Rig rig;
  Give(&rig.course, Peer::kClient, kBadFrame, kStart + seconds(1));
  EXPECT_EQ(rig.to_server.taken.substr(0, 2), "\x88\x82") << "the server gets a Close";
  const std::string answer = Text(Peer::kServer, "what it still had to say");
  Give(&rig.course, Peer::kServer, answer + CloseOf(Peer::kServer, 1000), kStart + seconds(2));
  EXPECT_EQ(rig.to_client.taken, answer + OurClose(1002));
  EXPECT_EQ(rig.Judged().status_code, 456);
}

TEST(Course, E08_E10_TheServerHasTimeToAnswerWhatCameBeforeTheViolation) {
  Rig rig;
  Give(&rig.course, Peer::kClient, Text(Peer::kClient) + kBadFrame, kStart);
  EXPECT_EQ(rig.to_server.taken, Text(Peer::kClient)) << "one read would bring it both";
  EXPECT_EQ(rig.course.NextDeadline(), kStart + milliseconds(100));
  const std::string echo = Text(Peer::kServer);
  Give(&rig.course, Peer::kServer, echo, kStart + milliseconds(1));
  rig.course.OnTime(kStart + milliseconds(100));
  EXPECT_NE(rig.to_server.taken, Text(Peer::kClient));
  Give(&rig.course, Peer::kServer, CloseOf(Peer::kServer, 1002), kStart + milliseconds(101));
  EXPECT_EQ(rig.to_client.taken, echo + OurClose(1002));
}

TEST(Course, E08_AServerThatClosesMeanwhileGetsItsAnswer) {
  Rig rig;
  Give(&rig.course, Peer::kClient, Text(Peer::kClient) + kBadFrame, kStart);
  Give(&rig.course, Peer::kServer, CloseOf(Peer::kServer, 1001), kStart + milliseconds(1));
  EXPECT_GT(rig.to_server.taken.size(), Text(Peer::kClient).size());
  EXPECT_EQ(rig.to_client.taken, OurClose(1002));
}

// ---- A7, A20: what is on its way ----

struct Ended : Rig {
  // The server says much and closes; the client has taken nothing yet.
  Ended() {
    to_client.capacity = 0;
    Give(&course, Peer::kServer, Text(Peer::kServer, std::string(100, 'x')), kStart);
    Give(&course, Peer::kServer, CloseOf(Peer::kServer, 1000), kStart);
  }
  void Reads(TimePoint now) {
    to_client.Drain(1);
    course.OnWritten(Peer::kClient, now);
  }
};

TEST(Course, A20_TheCloseTimeoutCountsFromTheLastByteThatTheOtherTook) {
  Ended rig;
  for (int i = 1; i <= 5; ++i) rig.Reads(kStart + seconds(9 * i));
  EXPECT_FALSE(rig.course.outcome());
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(45) + rig.settings.close_timeout);
  rig.course.OnTime(kStart + seconds(55));
  ASSERT_TRUE(rig.course.outcome());
  EXPECT_EQ(rig.course.outcome()->close_handshake, CloseHandshake::kTimeout);
  EXPECT_EQ(rig.Judged().status_code, 200);
  EXPECT_TRUE(rig.course.outcome()->client_is_behind);
}

TEST(Course, A7_TheLingerCountsFromTheLastProgress) {
  Ended rig;
  rig.course.OnEof(Peer::kServer, kStart);
  rig.course.OnTime(kStart + seconds(10));
  ASSERT_TRUE(rig.course.outcome());
  TimePoint now = kStart + seconds(10);
  for (int i = 0; i < 30; ++i) {
    rig.Reads(now += seconds(1));
    rig.course.OnTime(now);
    ASSERT_FALSE(rig.course.gone());
  }
  rig.course.OnTime(now + seconds(2));
  EXPECT_TRUE(rig.course.gone()) << "it reads no more";
}

TEST(Course, A7_WhatOnlyItsKernelHasIsStillOnItsWay) {
  Rig rig;
  rig.course.OnEof(Peer::kServer, kStart);
  TimePoint now = kStart;
  for (rig.to_client.on_its_way = 5; rig.to_client.on_its_way > 0; --rig.to_client.on_its_way) {
    rig.course.OnTime(now);
    ASSERT_FALSE(rig.course.gone());
    now = rig.course.NextDeadline();
  }
  rig.course.OnTime(now);
  EXPECT_TRUE(rig.course.gone()) << "it has all, and says nothing";
}

// The server says much and hangs up; its client reads one byte a second.
struct Trickle : Rig {
  explicit Trickle(const Settings& wanted = Unlimited()) : Rig(wanted) {
    to_client.capacity = 0;
    Give(&course, Peer::kServer, Text(Peer::kServer, std::string(120, 'x')), kStart);
  }
  void Read(int second) {
    to_client.Drain(1);
    course.OnWritten(Peer::kClient, kStart + seconds(second));
    course.OnTime(kStart + seconds(second));
  }
};

TEST(Course, A7_I9_NoSlowReaderHoldsAnInstanceForMoreThanAMinute) {
  Trickle rig;
  rig.course.OnEof(Peer::kServer, kStart);
  for (int i = 1; i <= 60; ++i) {
    rig.Read(i);
    EXPECT_EQ(rig.course.gone(), i == 60);
  }
}

TEST(Course, A20_P05_NorDoesItsCloseWaitBeyondTheExecutionTimeout) {
  Settings settings = Rig::Unlimited();
  settings.execution_timeout = seconds(30);
  Trickle rig(settings);
  Give(&rig.course, Peer::kServer, CloseOf(Peer::kServer, 1000), kStart);
  for (int i = 1; i <= 30; ++i) {
    rig.Read(i);
    EXPECT_EQ(rig.course.outcome().has_value(), i == 30);
  }
  EXPECT_EQ(rig.Judged().status_code, 200);
}

TEST(Course, P15_P16_NorDoesACloseThatIsNotAnswered) {
  Rig rig;
  Give(&rig.course, Peer::kClient, CloseOf(Peer::kClient, 1000), kStart);
  rig.course.EndBy(EndKind::kFunctionStopped, kStart + seconds(1));
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(3));
  rig.course.OnTime(kStart + seconds(3));
  EXPECT_TRUE(rig.course.gone());
  EXPECT_EQ(rig.Judged().status_code, 200);
}

TEST(Course, A7_WhatOnlyOurKernelHasIsBehindToo) {
  for (const bool waiting : {false, true}) {
    Rig rig;
    rig.to_client.waiting = waiting;
    rig.course.OnEof(Peer::kServer, kStart);
    EXPECT_EQ(rig.course.outcome()->client_is_behind, waiting);
  }
}

TEST(Course, P15_P16_WhoIsToStopGivesASlowReaderNoMoreTime) {
  Trickle rig;
  rig.course.OnEof(Peer::kServer, kStart);
  rig.Read(1);
  rig.course.EndBy(EndKind::kFunctionStopped, kStart + seconds(1));
  rig.Read(2);
  EXPECT_FALSE(rig.course.gone());
  rig.Read(3);
  EXPECT_TRUE(rig.course.gone());
  EXPECT_EQ(rig.Judged().status_code, 439) << "its end is what it was";
}

// ---- A9 ----

TEST(Course, A9_AfterAPauseOfTheMachineWhatHasComeIsReadFirst) {
  Rig rig;
  rig.course.OnTime(kStart + seconds(40));  // everything stood still since the 10th second
  EXPECT_FALSE(rig.course.outcome());
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(42));
  Give(&rig.course, Peer::kClient, Text(Peer::kClient), kStart + seconds(40));
  EXPECT_EQ(rig.course.NextDeadline(), kStart + seconds(55));
  rig.course.OnTime(kStart + seconds(55));
  EXPECT_EQ(rig.Judged().status_code, 455);
}

TEST(Course, A9_AfterAPauseWithoutAWordItEndsAllTheSame) {
  Rig rig;
  rig.course.OnTime(kStart + seconds(40));
  rig.course.OnTime(kStart + seconds(42));
  EXPECT_EQ(rig.Judged().status_code, 455);
}

TEST(Course, A9_TheExecutionClockGetsNothingBack) {
  Settings settings = Rig::Unlimited();
  settings.execution_timeout = seconds(20);
  Rig rig(settings);
  Give(&rig.course, Peer::kClient, Text(Peer::kClient), kStart + seconds(10));
  rig.course.OnTime(kStart + seconds(60));
  ASSERT_TRUE(rig.course.outcome());
  EXPECT_EQ(rig.Judged().status_code, 433) << "nobody knows that it was idle";
}

// ---- A11 ----

TEST(Course, D55_A11_FramesWithoutAPayloadAreNotForNothing) {
  Settings settings = Rig::Unlimited();
  settings.request_bytes_per_second = 100;
  Rig rig(settings);
  const std::string ping = FrameOf(Peer::kClient, 9, "");
  std::string sent = FrameOf(Peer::kClient, 1, "", false);
  for (int i = 0; i < 150; ++i) sent += FrameOf(Peer::kClient, 0, "", false) + ping;
  Give(&rig.course, Peer::kClient, sent, kStart);
  EXPECT_EQ(rig.to_server.taken, sent.substr(0, 100 * ping.size()));
  for (int i = 1; i <= 60; ++i) rig.course.OnTime(kStart + milliseconds(63 * i));
  EXPECT_EQ(rig.to_server.taken, sent);
}

}  // namespace
}  // namespace wsf::session
