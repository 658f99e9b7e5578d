// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/step.h"

#include <gtest/gtest.h>

namespace wsf::ledger {
namespace {

Counters One(int code, std::int64_t billed_ms = 10) {
  Counters counters;
  counters.total = 1;
  counters.established = 1;
  counters.billed_ms = billed_ms;
  counters.by_code[code] = 1;
  return counters;
}

ObservedPod Ended(const std::string& uid, const Counters& verdict) {
  return {uid, true, true, true, verdict};
}

TEST(Step, AnEndedPodBecomesAnEntryAndKeepsItsFinalizer) {
  const Step step = NextStep({}, {Ended("a", One(200))});
  ASSERT_EQ(step.book.uncounted.size(), 1u);
  EXPECT_EQ(step.book.uncounted[0], (Entry{"a", One(200)}));
  EXPECT_EQ(step.book.sessions.total, 0);
  EXPECT_TRUE(step.remove_finalizer.empty()) << "not before the entry is persisted";
}

TEST(Step, APersistedEntryLetsTheFinalizerGo) {
  const Book book = {{}, {{"a", One(200)}}};
  const Step step = NextStep(book, {Ended("a", One(200))});
  EXPECT_EQ(step.remove_finalizer, std::vector<std::string>{"a"});
  EXPECT_EQ(step.book, book) << "counted only when it is seen gone";
}

TEST(Step, AnEntryWhoseFinalizerIsSeenGoneIsCountedInOneWrite) {
  const Book book = {One(456), {{"a", One(200)}, {"b", One(439)}}};
  ObservedPod without = Ended("a", One(200));
  without.has_finalizer = false;
  const Step step = NextStep(book, {without});  // b is gone altogether
  EXPECT_TRUE(step.book.uncounted.empty());
  EXPECT_EQ(step.book.sessions.total, 3);
  EXPECT_EQ(step.book.sessions.by_code,
            (std::map<int, std::int64_t>{{200, 1}, {439, 1}, {456, 1}}));
  EXPECT_EQ(step.book.sessions.billed_ms, 30);
}

TEST(Step, ACountedVerdictDoesNotChangeAnyMore) {
  const Step step = NextStep({{}, {{"a", One(439)}}}, {Ended("a", One(434))});
  EXPECT_EQ(step.book.uncounted[0].sessions, One(439));
}

TEST(Step, AnInstanceThatNeverCarriedASessionLeavesNoEntry) {
  const Step step = NextStep({}, {Ended("a", Counters())});
  EXPECT_EQ(step.remove_finalizer, std::vector<std::string>{"a"});
  EXPECT_EQ(step.book, Book());
}

TEST(Step, APodWithoutAVerdictWaits) {
  const Step step = NextStep({}, {{"a", true, true, true, std::nullopt}});
  EXPECT_TRUE(step.book.uncounted.empty());
  EXPECT_TRUE(step.remove_finalizer.empty());
}

TEST(Step, AnEndedPodThatLacksTheFinalizerIsNeverCounted) {
  ObservedPod pod = Ended("a", One(200));
  pod.has_finalizer = false;
  EXPECT_EQ(NextStep({}, {pod}).book, Book());
}

TEST(Step, ALivingPodThatLacksTheFinalizerGetsItBackUnlessItIsBeingDeleted) {
  const Step step = NextStep({}, {{"a", false, false, false, {}}, {"b", false, false, true, {}}});
  EXPECT_EQ(step.put_back_finalizer, std::vector<std::string>{"a"});
}

TEST(Step, TheListOfEntriesIsBoundedAndTheRestComesLater) {
  std::vector<ObservedPod> pods;
  for (int i = 0; i < 600; ++i) pods.push_back(Ended("pod" + std::to_string(i), One(200)));
  Step step = NextStep({}, pods);
  EXPECT_EQ(step.book.uncounted.size(), kMaxUncounted);
  for (ObservedPod& pod : pods) {
    for (const Entry& entry : step.book.uncounted) pod.has_finalizer &= entry.uid != pod.uid;
  }
  step = NextStep(step.book, pods);
  EXPECT_EQ(step.book.sessions.total, 500);
  EXPECT_EQ(step.book.uncounted.size(), 100u);
}

TEST(Book, ReadsBackWhatItWrites) {
  Book book = {One(200, 1234), {{"a", One(456, 5)}, {"b", One(500, 0)}}};
  nlohmann::json status = {{"sessions", book.sessions.ToJson()}};
  status["uncounted"] = book.UncountedJson();
  EXPECT_EQ(Book::FromStatus(status), book);
}

TEST(Book, ReadsNonsenseAsNothing) {
  for (const char* text : {"null", "[]", R"({"sessions": 5, "uncounted": "x"})",
                           R"({"sessions": {"total": "many", "byCode": {"x": 1, "200": []}}})",
                           R"({"uncounted": [1, {}, {"uid": 7}]})"}) {
    const Book book = Book::FromStatus(nlohmann::json::parse(text));
    EXPECT_EQ(book.sessions.total, 0) << text;
    EXPECT_TRUE(book.uncounted.empty()) << text;
  }
}

}  // namespace
}  // namespace wsf::ledger
