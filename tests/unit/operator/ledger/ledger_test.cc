// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/ledger.h"

#include <gtest/gtest.h>

namespace wsf::ledger {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{100000s};
constexpr char kClean[] =
    R"({"requestId":"r1","requestStart":"2026-01-01T00:00:00Z","established":"2026-01-01T00:00:01Z",
        "ended":"2026-01-01T00:00:02Z","billedMs":1000,"statusCode":200,"status":"success"})";
constexpr char kLive[] =
    R"({"state":"live","requestId":"r1","requestStart":"2026-01-01T00:00:00Z",
        "established":"2026-01-01T00:00:01Z"})";

template <typename T>
std::vector<T> Only(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& each : actions) {
    if (const T* wanted = std::get_if<T>(&each)) found.push_back(*wanted);
  }
  return found;
}

v1::SessionRecord Record(const std::string& id, int code, const std::string& reason = "Closed") {
  v1::SessionRecord record;
  record.set_request_id(id);
  record.set_established(1);
  record.set_billed_ms(7);
  record.set_status_code(code);
  record.set_reason(reason);
  return record;
}

v1::InstanceTotals Totals(std::map<int, int> codes, int open, std::int64_t billed_ms = 7) {
  v1::InstanceTotals totals;
  for (const auto& [code, count] : codes) {
    (*totals.mutable_sessions_by_code())[code] = count;
    totals.set_established(totals.established() + count);
  }
  totals.set_billed_ms(billed_ms);
  totals.set_open(open);
  return totals;
}

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    ledger_.OnFunction("ns/fu", ++version_, {});
    ledger_.OnPodsAsked();
    ledger_.OnPodsListed();
    pod_.uid = "u";
    pod_.ns = "ns";
    pod_.name = "f-1";
    pod_.function = "f";
    pod_.function_uid = "fu";
    pod_.grace_seconds = 2;
    pod_.finalizers = {instances::kLedgerFinalizer};
    pod_.relay.running = true;
    pod_.server.running = true;
    ledger_.OnPod(pod_, now_);
  }

  void EndPod(const std::string& message) {
    pod_.relay.running = false;
    pod_.relay.terminated = true;
    pod_.relay.message = message;
    pod_.server.running = false;
    pod_.server.terminated = true;
    ledger_.OnPod(pod_, now_);
  }

  // The status is written, and its answer taken.
  void Write() {
    const Book book = *ledger_.BookToWrite("ns/fu", now_);
    ledger_.OnWriting("ns/fu", book);
    ledger_.OnFunction("ns/fu", ++version_, book);
  }

  void LoseFinalizer() {
    pod_.finalizers.clear();
    ledger_.OnPod(pod_, now_);
  }

  std::vector<Action> Plan() { return ledger_.Plan(now_); }
  Book TheBook() const { return *ledger_.BookOf("ns/fu"); }

  Ledger ledger_;
  instances::Pod pod_;
  TimePoint now_ = kNow;
  std::uint64_t version_ = 10;
};

TEST_F(LedgerTest, AReportedSessionIsLoggedAtOnceAndItsPodDeletedWhileTheRelayRuns) {
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  const auto actions = Plan();
  ASSERT_EQ(Only<LogSession>(actions).size(), 1u);
  EXPECT_EQ(Only<LogSession>(actions)[0].record.instance(), "f-1");
  EXPECT_EQ(Only<RemovePod>(actions).size(), 1u);
  EXPECT_TRUE(Only<LogSession>(Plan()).empty()) << "once";
}

TEST_F(LedgerTest, P16_P15_APodDeletedWithALongGraceIsNotWaitedForOnceAllIsSaid) {
  pod_.deleting = true;
  pod_.grace_seconds = 65;
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<RemovePod>(ledger_.Plan(now_)).empty()) << "its session still ends";
  ledger_.OnReport("u", Record("r1", 499), Totals({{499, 1}}, 0), now_);
  EXPECT_EQ(Only<RemovePod>(ledger_.Plan(now_)).size(), 1u);
  pod_.grace_seconds = 2;
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<RemovePod>(ledger_.Plan(now_ + 60s)).empty()) << "it is short already";
}

TEST_F(LedgerTest, P16_I4_APodDeletedBeforeItsKubeletSaidThatItRunsIsNotTakenForAnEmptyOne) {
  pod_.has_node = true;
  pod_.relay.running = pod_.server.running = false;  // not told yet; its session is live
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<RemoveFinalizer>(ledger_.Plan(now_)).empty());
  pod_.has_node = false;  // no kubelet ever had it
  ledger_.OnPod(pod_, now_);
  EXPECT_EQ(Only<RemoveFinalizer>(ledger_.Plan(now_)).size(), 1u);
}

TEST_F(LedgerTest, FromReportToCounters) {
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  Plan();
  EndPod(kClean);
  EXPECT_TRUE(Only<RemoveFinalizer>(Plan()).empty()) << "its entry is not persisted";
  Write();
  const auto actions = Plan();
  EXPECT_EQ(Only<RemoveFinalizer>(actions).size(), 1u);
  EXPECT_EQ(Only<AckSession>(actions).size(), 1u) << "persisted: the gateway may forget it";
  LoseFinalizer();
  Write();
  EXPECT_EQ(TheBook().sessions.by_code, (std::map<int, std::int64_t>{{200, 1}}));
  ledger_.OnPodGone("u", now_);
  EXPECT_TRUE(Only<LogUncounted>(Plan()).empty());
  Write();
  EXPECT_EQ(TheBook().sessions.total, 1);
  EXPECT_TRUE(TheBook().uncounted.empty());
}

TEST_F(LedgerTest, WithoutAReportTheTerminationMessageIsTheRecord) {
  EndPod(kClean);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 200);
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.billed_ms, 1000);
}

TEST_F(LedgerTest, P18_ARelayThatDiedInASessionLeavesASyntheticRecord) {
  EndPod(kLive);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 500);
  EXPECT_GT(logged[0].record.billed_ms(), 0);
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  EXPECT_EQ(Only<LogLate>(Plan()).size(), 1u) << "late: it changes nothing";
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.by_code.count(500), 1u);
}

TEST_F(LedgerTest, P19_WhereNoMessageExistsTheGatewaysViewCounts) {
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 3'000'000});
  EXPECT_TRUE(Only<AckSession>(Plan()).empty()) << "not before the entry is persisted";
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  EXPECT_EQ(ledger_.NextDeadline(now_), now_ + 122s) << "grace and two minutes";
  now_ += 122s;
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 500);
  EXPECT_EQ(logged[0].record.billed_ms(), 2000);
  Write();
  EXPECT_EQ(Only<AckSession>(Plan()).size(), 1u);
}

TEST_F(LedgerTest, P19_AfterTheLossOfANodeAGatewayIsGivenTimeToTellWhatItSaw) {
  pod_.phase = "Failed";  // as the collector of lost pods says it: nothing of the containers
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<RemoveFinalizer>(Plan()).empty());
  EXPECT_EQ(ledger_.NextDeadline(now_), now_ + 2s);
  now_ += 3s;
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 3'000'000});
  EXPECT_TRUE(Only<LogSession>(Plan()).empty()) << "another gateway may know of another session";
  now_ += 12s;
  ASSERT_EQ(Only<LogSession>(Plan()).size(), 1u);
}

// Watched on a busy node: 27 of 200 clean ends were taken for lost ones.
TEST_F(LedgerTest, P22_AMessageThatComesMinutesLateIsTheRecordAndNotAGatewaysView) {
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 3'000'000});
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  now_ += 121s;
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  EndPod(kClean);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 200);
}

TEST_F(LedgerTest, D10_P19_ASessionThatOnlyItsGatewayKnowsOfIsCountedWhenItsNodeIsLost) {
  ledger_.OnTaken("u", "r1", 1'000'000);
  ledger_.OnTaken("u", "r2", 1'000'000);
  ledger_.OnNotTaken("u", "r2");
  EXPECT_EQ(ledger_.NextDeadline(now_), std::nullopt) << "a live session asks for nothing";
  pod_.deleting = true;
  pod_.deletes_at = 5'000'000;
  ledger_.OnPod(pod_, now_);
  now_ += 122s;
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.request_id(), "r1");
  EXPECT_EQ(logged[0].record.status_code(), 500);
  EXPECT_EQ(logged[0].record.duration_ms(), 4000) << "it ended when its pod was to be gone";
  ASSERT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted.size(), 1u);
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 9'000'000});
  EXPECT_TRUE(Only<AckSession>(Plan()).empty()) << "not before it is in the book";
  Write();
  EXPECT_EQ(Only<AckSession>(Plan()).size(), 1u);
}

TEST_F(LedgerTest, D10_P19_AGatewayIsHeardUntilItIsDecidedAndNotBehind) {
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  now_ += 121s;
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 3'000'000});
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  now_ += 1s;
  EXPECT_EQ(Only<LogSession>(Plan()).size(), 1u);
  ledger_.OnWriting("ns/fu", *ledger_.BookToWrite("ns/fu", now_));
  ledger_.OnGatewayView("u", {"r2", 1'000'000, 3'000'000});  // the write is on its way
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted.at(0).sessions.total, 1);
}

TEST_F(LedgerTest, D10_K10_ASessionWhoseObjectGoesWithoutAMessageIsLogged) {
  ledger_.OnTaken("u", "r1", 1'000'000);
  ledger_.OnPodGone("u", now_);  // its finalizer was stripped
  const auto actions = Plan();
  ASSERT_EQ(Only<LogSession>(actions).size(), 1u);
  EXPECT_EQ(Only<LogSession>(actions)[0].record.status_code(), 500);
  EXPECT_EQ(Only<LogUncounted>(actions).size(), 1u);
}

TEST_F(LedgerTest, D10_K10_WhatWaitedForTheRuntimeIsLoggedWhenTheObjectGoes) {
  ledger_.OnReport("u", Record("r1", 439, "UserProcessExited"), Totals({{439, 1}}, 0), now_);
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  ledger_.OnPodGone("u", now_);
  EXPECT_EQ(Only<LogSession>(Plan()).size(), 1u);
}

TEST_F(LedgerTest, D20_I4_NeverStartedDoesNotHoldAgainstASidecarThatHasSpoken) {
  pod_.relay.running = pod_.server.running = false;  // its status is not told yet
  ledger_.OnPod(pod_, now_);
  ledger_.OnStarted("u");
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  EXPECT_TRUE(Only<RemoveFinalizer>(Plan()).empty());
  ledger_.OnReport("u", Record("r1", 499, "Canceled"), Totals({{499, 1}}, 0), now_);
  Plan();
  EndPod("");
  Plan();
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted.size(), 1u);
}

TEST_F(LedgerTest, D20_I4_AReportHoldsAgainstWhatAPodsStatusDoesNotSay) {
  pod_.relay.running = pod_.server.running = false;
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  EXPECT_EQ(Only<LogSession>(Plan()).size(), 1u);
  const Book book = *ledger_.BookToWrite("ns/fu", now_);
  ASSERT_EQ(book.uncounted.size(), 1u) << "every record is counted";
  EXPECT_EQ(book.uncounted[0].sessions.by_code.count(200), 1u);
}

TEST_F(LedgerTest, D20_I4_WhatIsLetGoIsDecided) {
  EndPod("");
  EXPECT_EQ(Only<RemoveFinalizer>(Plan()).size(), 1u) << "it never carried a session";
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  const auto actions = Plan();
  EXPECT_TRUE(Only<LogSession>(actions).empty()) << "no record that is not counted";
  EXPECT_EQ(Only<LogLate>(actions).size(), 1u);
}

// Killed between the write of the entry and the finalizer; its successor hears the kubelet.
TEST_F(LedgerTest, D20_I4_P22_WhatAnOperatorBeforeUsHasEnteredIsDecided) {
  Ledger next;
  Counters lost;
  lost.total = lost.by_code[500] = 1;
  next.OnFunction("ns/fu", 20, {{}, {{"u", lost}}});
  next.OnPodsAsked();
  next.OnPod(pod_, now_);
  next.OnPodsListed();
  next.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  EndPod(kClean);
  next.OnPod(pod_, now_);
  auto actions = next.Plan(now_);
  EXPECT_TRUE(Only<LogSession>(actions).empty())
      << "a record that says otherwise than the counters";
  EXPECT_EQ(Only<LogLate>(actions).size(), 1u);
  EXPECT_EQ(Only<RemoveFinalizer>(actions).size(), 1u);
  next.OnPodGone("u", now_);
  actions = next.Plan(now_);
  EXPECT_TRUE(Only<LogUncounted>(actions).empty()) << "it is counted";
  EXPECT_EQ(next.BookToWrite("ns/fu", now_)->sessions.by_code, lost.by_code);
}

TEST_F(LedgerTest, P18_S3_20_AReportThatComesBehindTheTotalsOfTheMessageIsInThem) {
  EndPod(R"({"totals":{"byCode":{"200":1,"456":1},"established":2,"billedMilliseconds":15},
             "open":[]})");
  Plan();
  ledger_.OnReport("u", Record("r2", 456), Totals({{200, 1}, {456, 1}}, 1), now_);
  EXPECT_EQ(Only<LogSession>(Plan()).size(), 1u);
  const Counters counted = ledger_.BookToWrite("ns/fu", now_)->uncounted.at(0).sessions;
  EXPECT_EQ(counted.by_code, (std::map<int, std::int64_t>{{200, 1}, {456, 1}}));
}

TEST_F(LedgerTest, D20_I4_AReportThatComesBehindTheEntryIsLate) {
  ledger_.OnGatewayView("u", {"r1", 1'000'000, 3'000'000});
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  now_ += 122s;
  Plan();
  Write();
  ledger_.OnReport("u", Record("r2", 200), Totals({{200, 1}}, 0), now_);
  EXPECT_EQ(Only<LogLate>(Plan()).size(), 1u);
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.total, 1);
}

// With every session kept and walked over this takes hours.
TEST_F(LedgerTest, house_H4_ASharedInstanceForgetsTheSessionsThatAreSettled) {
  constexpr int kSessions = 100'000;
  for (int i = 1; i <= kSessions; ++i) {
    const std::string id = "r" + std::to_string(i);
    ledger_.OnTaken("u", id, 1);
    ledger_.OnReport("u", Record(id, 200), Totals({{200, i}}, 1, i), now_);
    const auto actions = Plan();
    ASSERT_EQ(Only<LogSession>(actions).size(), 1u);
    EXPECT_GE(Only<AckSession>(actions).size(), 1u) << "house M9: it is asked to be kept no longer";
    ledger_.OnReport("u", Record(id, 200), Totals({{200, i}}, 1, i), now_);
    ledger_.OnGatewayView("u", {id, 1, 2});
  }
  const auto actions = Plan();
  EXPECT_TRUE(Only<LogSession>(actions).empty()) << "what is told again changes nothing";
  EndPod(
      R"({"totals":{"byCode":{"200":100000},"established":100000,"billedMilliseconds":100000}})");
  Plan();
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.total, kSessions);
}

TEST_F(LedgerTest, E22_WhatTheRuntimeExplainsChangesTheTotalsOfASharedInstance) {
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 1), now_);
  ledger_.OnReport("u", Record("r2", 439, "UserProcessExited"), Totals({{200, 1}, {439, 1}}, 0, 9),
                   now_);
  Plan();
  pod_.server.reason = "OOMKilled";
  EndPod("");
  Plan();
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.by_code,
            (std::map<int, std::int64_t>{{200, 1}, {434, 1}}));
}

TEST_F(LedgerTest, D10_P19_OpenSessionsOfALostSharedInstanceAreAddedToWhatItReported) {
  v1::SessionRecord first = Record("r1", 200);
  first.set_ended(10'000'000);
  v1::InstanceTotals totals = Totals({{200, 2}}, 3, 9500);  // live since 500 ms
  totals.set_established(3);                                // r4 is open
  totals.set_at(10'000'000);
  totals.add_open_ids("r3");
  totals.add_open_ids("r4");
  ledger_.OnTaken("u", "r2", 1'000'000);  // has ended; its report is still to come
  ledger_.OnReport("u", first, totals, now_);
  ledger_.OnTaken("u", "r3", 2'000'000);
  ledger_.OnGatewayView("u", {"r4", 3'000'000, 12'000'000});
  pod_.deleting = true;
  ledger_.OnPod(pod_, now_);
  now_ += 122s;
  Plan();
  const Counters counted = ledger_.BookToWrite("ns/fu", now_)->uncounted.at(0).sessions;
  EXPECT_EQ(counted.by_code, (std::map<int, std::int64_t>{{200, 2}, {500, 2}}));
  EXPECT_EQ(counted.total, 4);
  EXPECT_EQ(counted.established, 3) << "of r3 no 101 is known";
  EXPECT_EQ(counted.billed_ms, 11500) << "the union: two seconds more than was reported";
}

TEST_F(LedgerTest, AnOrphanedPodStaysTheInstanceOfItsFunction) {
  EndPod(kClean);
  Plan();
  pod_.function_uid.clear();
  ledger_.OnPod(pod_, now_);
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted.size(), 1u);
  ledger_.OnPodGone("u", now_);
  Plan();
}

TEST_F(LedgerTest, D06_house_L2_S12_AnOwnerThatAppearsLateLeavesNothingBehind) {
  instances::Pod odd = pod_;
  odd.uid = "odd";
  odd.function_uid.clear();
  odd.finalizers = {"example.com/hold"};
  odd.relay.running = false;
  odd.phase = "Failed";
  ledger_.OnPod(odd, now_);
  Plan();
  odd.function_uid = "fu";
  ledger_.OnPod(odd, now_);
  ledger_.OnPodGone("odd", now_);
  Plan();
  EXPECT_EQ(ledger_.NextDeadline(now_ + 3s), std::nullopt);
}

TEST_F(LedgerTest, D06_S12_AForeignPodInABookStaysAsItIs) {
  pod_.uid = "foreign";
  pod_.function_uid = "other";
  ledger_.OnPod(pod_, now_);
  ledger_.OnFunction("ns/fu", ++version_, {{}, {{"foreign", Counters()}}});
  ledger_.OnPodsAsked();
  ledger_.OnPodsListed();
  EXPECT_TRUE(Only<RemoveFinalizer>(Plan()).empty()) << "its session is live";
  ledger_.OnPodGone("foreign", now_);
  Plan();
}

TEST_F(LedgerTest, D34_S12_APodOfAnotherNamespaceIsNoInstanceWhateverItSaysOfItsOwner) {
  pod_.uid = "thief";
  pod_.ns = "other";
  EndPod(kClean);
  const auto actions = Plan();
  EXPECT_EQ(*ledger_.BookToWrite("ns/fu", now_), Book());
  EXPECT_EQ(Only<RemoveFinalizer>(actions).size(), 1u) << "as one whose function has gone";
}

Book BookOf(int total) {
  Book book;
  book.sessions.total = total;
  return book;
}

// The API refuses every write, while sessions go on: each try has another book, or the same.
TEST_F(LedgerTest, D22_house_M7_OfWritesThatDoNotTakeTheLastFewAreKept) {
  for (int i = 1; i <= 1000; ++i) ledger_.OnWriting("ns/fu", BookOf(i));
  ledger_.OnFunction("ns/fu", ++version_, BookOf(999));
  EXPECT_TRUE(Only<ListPods>(Plan()).empty()) << "ours";
  for (int i = 1; i <= 1000; ++i) ledger_.OnWriting("ns/fu", BookOf(i));
  ledger_.OnFunction("ns/fu", ++version_, BookOf(1));
  EXPECT_EQ(Only<ListPods>(Plan()).size(), 1u) << "forgotten: it costs a list of pods";
}

TEST_F(LedgerTest, D22_house_M7_TheSameBookIsKeptOnce) {
  ledger_.OnWriting("ns/fu", BookOf(1));
  for (int i = 0; i < 1000; ++i) ledger_.OnWriting("ns/fu", BookOf(2));
  ledger_.OnFunction("ns/fu", ++version_, BookOf(1));
  EXPECT_TRUE(Only<ListPods>(Plan()).empty());
}

TEST_F(LedgerTest, P18_ASyntheticRecordEndsWhenTheRelayDidAndNotWhenItIsRead) {
  pod_.relay.finished = ParseRfc3339("2026-01-01T00:00:03Z");
  EndPod(kLive);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.billed_ms(), 2000);
}

TEST_F(LedgerTest, AnUndoneClaimLeavesNoRecordWhateverAGatewaySays) {
  ledger_.OnGatewayView("u", {"r1", 0, 3'000'000});
  EndPod("");
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  EXPECT_EQ(*ledger_.BookToWrite("ns/fu", now_), Book());
}

TEST_F(LedgerTest, E22_AKilledServerMakes439A434WhenTheRuntimeSaysSoInTime) {
  ledger_.OnReport("u", Record("r1", 439, "UserProcessExited"), Totals({{439, 1}}, 0), now_);
  EXPECT_TRUE(Only<LogSession>(Plan()).empty()) << "it waits for the container's status";
  pod_.server.terminated = true;
  pod_.server.reason = "OOMKilled";
  pod_.server.exit_code = 137;
  ledger_.OnPod(pod_, now_);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 434);
  EXPECT_EQ(logged[0].record.exit_code(), 137);
}

TEST_F(LedgerTest, E21_ARecordWaitsFiveSecondsForTheRuntimeAndNotLonger) {
  ledger_.OnReport("u", Record("r1", 439, "UserProcessExited"), Totals({{439, 1}}, 0), now_);
  Plan();
  now_ += 5s;
  ASSERT_EQ(Only<LogSession>(Plan()).size(), 1u);
}

TEST_F(LedgerTest, P17_AnEvictedInstanceMakes499A500) {
  ledger_.OnReport("u", Record("r1", 499, "RequestCanceled"), Totals({{499, 1}}, 0), now_);
  EXPECT_TRUE(Only<LogSession>(Plan()).empty());
  pod_.disrupted = true;
  ledger_.OnPod(pod_, now_);
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.status_code(), 500);
}

TEST_F(LedgerTest, S3_20_ASharedInstanceIsCountedOnceFromItsTotals) {
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 1, 7), now_);
  EXPECT_TRUE(Only<RemovePod>(Plan()).empty()) << "a session is still open";
  // The report of a third session is lost; the totals of the last one tell of it.
  ledger_.OnReport("u", Record("r2", 456), Totals({{200, 2}, {456, 1}}, 0, 15), now_);
  EndPod(
      R"({"totals":{"byCode":{"200":2,"456":1},"established":3,"billedMilliseconds":15},"open":[]})");
  Plan();
  const Book book = *ledger_.BookToWrite("ns/fu", now_);
  ASSERT_EQ(book.uncounted.size(), 1u);
  EXPECT_EQ(book.uncounted[0].sessions.by_code, (std::map<int, std::int64_t>{{200, 2}, {456, 1}}));
  EXPECT_EQ(book.uncounted[0].sessions.billed_ms, 15) << "the union, not the sum";
}

TEST_F(LedgerTest, P18_OpenSessionsOfADeadSharedInstanceEndWith500) {
  EndPod(R"({"totals":{"byCode":{"200":2},"established":3,"billedMilliseconds":15},
             "open":["AZGKlNt2cACAAAAAAAAAAA"]})");
  const auto logged = Only<LogSession>(Plan());
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].record.request_id(), "01918a94-db76-7000-8000-000000000000");
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_)->uncounted[0].sessions.by_code,
            (std::map<int, std::int64_t>{{200, 2}, {500, 1}}));
}

TEST_F(LedgerTest, ABookWrittenByAnotherOperatorStopsTheCountingUntilPodsAreListedAnew) {
  EndPod(kClean);
  Plan();
  ledger_.OnFunction("ns/fu", ++version_, {{}, {{"u", Counters()}}});
  EXPECT_EQ(Only<ListPods>(Plan()).size(), 1u);
  LoseFinalizer();
  EXPECT_EQ(ledger_.BookToWrite("ns/fu", now_), TheBook()) << "nothing is counted on an old view";
  ledger_.OnPodsAsked();
  ledger_.OnPodsListed();
  EXPECT_TRUE(ledger_.BookToWrite("ns/fu", now_)->uncounted.empty());
}

TEST_F(LedgerTest, AnUnknownOutcomeThatTurnsOutToBeOursIsOurs) {
  EndPod(kClean);
  Plan();
  const Book book = *ledger_.BookToWrite("ns/fu", now_);
  ledger_.OnWriting("ns/fu", book);               // no answer comes
  ledger_.OnFunction("ns/fu", ++version_, book);  // the watch tells that it stands
  EXPECT_TRUE(Only<ListPods>(Plan()).empty());
}

TEST_F(LedgerTest, AnOlderVersionFromALaggingWatchIsIgnored) {
  EndPod(kClean);
  Plan();
  Write();
  ledger_.OnFunction("ns/fu", version_ - 1, {});
  EXPECT_EQ(TheBook().uncounted.size(), 1u);
}

TEST_F(LedgerTest, K10_APodWhoseFunctionIsGoneIsLoggedAndLetGo) {
  ledger_.OnFunctionGone("ns/fu");
  EndPod(kClean);
  const auto actions = Plan();
  EXPECT_EQ(Only<LogSession>(actions).size(), 1u);
  EXPECT_EQ(Only<RemoveFinalizer>(actions).size(), 1u);
}

TEST_F(LedgerTest, K10_AStrippedFinalizerIsSaid) {
  ledger_.OnReport("u", Record("r1", 200), Totals({{200, 1}}, 0), now_);
  Plan();
  LoseFinalizer();
  ledger_.OnPodGone("u", now_);
  EXPECT_EQ(Only<LogUncounted>(Plan()).size(), 1u);
  EXPECT_EQ(*ledger_.BookToWrite("ns/fu", now_), Book());
}

TEST_F(LedgerTest, AWriteThatWasNotSeenToWorkIsSentAgain) {
  EndPod(kClean);
  Plan();
  Write();
  EXPECT_EQ(Only<RemoveFinalizer>(Plan()).size(), 1u);
  EXPECT_TRUE(Only<RemoveFinalizer>(Plan()).empty());
  EXPECT_EQ(ledger_.NextDeadline(now_), now_ + 2s);
  now_ += 2s;
  EXPECT_EQ(Only<RemoveFinalizer>(Plan()).size(), 1u);
}

TEST_F(LedgerTest, I7_ALivingInstanceAsksForNothing) {
  EXPECT_TRUE(Plan().empty());
  EXPECT_EQ(ledger_.NextDeadline(now_), std::nullopt);
  EXPECT_EQ(*ledger_.BookToWrite("ns/fu", now_), TheBook());
}

}  // namespace
}  // namespace wsf::ledger
