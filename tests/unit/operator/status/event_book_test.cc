// SPDX-License-Identifier: Apache-2.0
#include "operator/status/event_book.h"

#include <gtest/gtest.h>

#include <set>

namespace wsf::status {
namespace {

using namespace std::chrono_literals;
using Outcome = EventBook::Outcome;

class EventBookTest : public testing::Test {
 protected:
  void Happened(const std::string& reason, const std::string& kind = "",
                const std::string& message = "m", const std::string& uid = "fu") {
    book_.Happened({"ns", "f", uid, reason, kind}, message, ++wall_, now_);
  }
  // Writes what is due, as an API server that takes everything.
  std::vector<EventBook::Event> Write() {
    auto events = book_.Take(now_);
    for (const auto& each : events) book_.OnWritten(each.subject, Outcome::kWritten, now_);
    return events;
  }

  EventBook book_{"run"};
  TimePoint now_{100000s};
  std::int64_t wall_ = 0;
};

TEST_F(EventBookTest, K08_TheFirstIsWrittenAtOnceAndTheSameAgainIsCountedUp) {
  Happened("InstanceFailed", "405", "first");
  const auto first = Write();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first[0].is_new);
  EXPECT_EQ(first[0].count, 1);
  Happened("InstanceFailed", "405", "second");
  Happened("InstanceFailed", "405", "third");
  now_ += 10s;
  const auto again = Write();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_FALSE(again[0].is_new);
  EXPECT_EQ(again[0].name, first[0].name);
  EXPECT_EQ(again[0].message, "third") << "the last words";
  EXPECT_EQ(again[0].count, 3);
  EXPECT_EQ(again[0].first, 1);
  EXPECT_EQ(again[0].last, 3);
}

TEST_F(EventBookTest, D18_AStormIsOneWriteInTenSecondsOfAFunctionAndReason) {
  int writes = 0;
  for (int i = 0; i < 6000; ++i, now_ += 10ms) {  // a minute
    Happened("SessionFailed", std::to_string(400 + i % 60));
    Happened("InstanceFailed", "", "text " + std::to_string(i));
    writes += static_cast<int>(Write().size());
  }
  EXPECT_EQ(writes, 12);
}

TEST_F(EventBookTest, K08_EachCodeIsToldInTheEnd) {
  for (int code = 400; code < 460; ++code) Happened("SessionFailed", std::to_string(code));
  std::set<std::string> told;
  while (const auto next = book_.Next()) {
    now_ = *next;
    for (const auto& each : Write()) told.insert(each.subject.kind);
  }
  EXPECT_EQ(told.size(), 60u);
}

TEST_F(EventBookTest, K08_OneThatAnApiServerHasForgottenIsMadeAnew) {
  Happened("InvalidSpec");
  Write();
  now_ += 2h;
  Happened("InvalidSpec");
  const auto patched = book_.Take(now_);
  ASSERT_EQ(patched.size(), 1u);
  EXPECT_FALSE(patched[0].is_new);
  book_.OnWritten(patched[0].subject, Outcome::kGone, now_);
  now_ = book_.Next().value();
  const auto made = Write();
  ASSERT_EQ(made.size(), 1u);
  EXPECT_TRUE(made[0].is_new);
  EXPECT_EQ(made[0].count, 2);
}

TEST_F(EventBookTest, K08_OneThatGotNoAnswerIsWrittenAgainAndOneThatIsRefusedIsNot) {
  Happened("InvalidSpec");
  const auto sent = book_.Take(now_);
  book_.OnWritten(sent[0].subject, Outcome::kUnanswered, now_);
  EXPECT_EQ(book_.Next(), now_ + 10s);
  now_ += 10s;
  const auto again = book_.Take(now_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].is_new);
  book_.OnWritten(again[0].subject, Outcome::kRefused, now_);
  EXPECT_EQ(book_.Next(), std::nullopt);
}

TEST_F(EventBookTest, K08_AnAnswerThatWasLostCostsNoCount) {
  Happened("InvalidSpec");
  book_.OnWritten(book_.Take(now_)[0].subject, Outcome::kUnanswered, now_);
  Happened("InvalidSpec");
  now_ += 10s;
  const auto again = book_.Take(now_);
  ASSERT_EQ(again.size(), 1u);
  book_.OnWritten(again[0].subject, Outcome::kThere, now_);  // the first one was carried out
  now_ += 10s;
  const auto patched = Write();
  ASSERT_EQ(patched.size(), 1u);
  EXPECT_FALSE(patched[0].is_new);
  EXPECT_EQ(patched[0].count, 2);
  EXPECT_EQ(book_.Next(), std::nullopt);
}

TEST_F(EventBookTest, K08_ASlowWriteIsNotOvertaken) {
  Happened("InvalidSpec");
  const auto slow = book_.Take(now_);
  now_ += 60s;
  Happened("InvalidSpec");
  EXPECT_TRUE(book_.Take(now_).empty()) << "the first one is under way";
  book_.OnWritten(slow[0].subject, Outcome::kWritten, now_);
  const auto next = Write();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].count, 2);
}

TEST_F(EventBookTest, D44_WhoIsForgottenWhileHeWaitsTakesNobodysTurn) {
  Happened("SessionFailed", "1");
  Write();
  Happened("SessionFailed", "2");  // waits for ten seconds
  for (std::size_t i = 0; i < EventBook::kMax; ++i) {
    Happened("InstanceFailed", "", "m", "function " + std::to_string(i));
  }
  Write();
  Happened("SessionFailed", "2");
  Happened("SessionFailed", "3");
  std::vector<std::string> told;
  for (int i = 0; i < 3; ++i, now_ += 10s) {
    for (const auto& each : Write()) told.push_back(each.subject.kind);
  }
  EXPECT_EQ(told, std::vector<std::string>({"2", "3"}));
}

TEST_F(EventBookTest, D44_house_M10_WhatIsRememberedHasABound) {
  Happened("InstanceFailed");
  Write();
  for (std::size_t i = 0; i < EventBook::kMax; ++i) {
    Happened("InstanceFailed", "", "m", "function " + std::to_string(i));
  }
  now_ += 10s;
  Write();
  Happened("InstanceFailed");
  now_ += 10s;
  const auto again = Write();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].is_new) << "forgotten, and told anew";
}

TEST_F(EventBookTest, K08_OfAFunctionThatHasGoneNothingWaits) {
  Happened("SessionFailed", "439");
  Happened("SessionFailed", "456");
  book_.Forget("fu");
  EXPECT_EQ(book_.Next(), std::nullopt);
  EXPECT_TRUE(book_.Take(now_ + 1h).empty());
}

}  // namespace
}  // namespace wsf::status
