// SPDX-License-Identifier: Apache-2.0
//
// What one session is counted as, in every order in which its parts may tell of it: a kubelet that
// lags by minutes, a node that is lost, a pod that is deleted by force, a gateway that tells late
// or never, a report that is lost, an operator that is started again at any moment. The ledger is
// the product's own; what it writes takes at once (interrupted writes are the other model's).
//
//   I4         it is counted once, and has one record with that code
//   the code   its own if its sidecar could tell it in time, by a report or by its message;
//              500 if only gateways can tell of it (P19)
//
// A control proves that the search can fail: a kubelet that lags for longer than the ledger waits.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "operator/ledger/ledger.h"

namespace wsf::ledger {
namespace {

using std::chrono::seconds;

constexpr char kOwner[] = "ns/fu";
constexpr int kOwnCode = 200;
constexpr char kMessage[] =
    R"({"requestId":"r","requestStart":"2026-01-01T00:00:00Z","established":"2026-01-01T00:00:01Z",
        "ended":"2026-01-01T00:00:02Z","billedMs":1000,"statusCode":200,"status":"success"})";
constexpr std::int64_t kTaken = 1'000'000;

// What may happen, each at most once but for the time. A session has been taken, and has ended.
enum Event : char {
  kTellsTaken = 't',  // its gateway
  kTellsEnded = 'e',
  kReports = 'r',  // its sidecar
  kDelete = 'd',   // somebody deletes the pod
  kKubelet = 'k',  // it tells of the relay's end, with its message
  kRestart = 'o',  // the operator
  kMinute = 'm',
};

class World {
 public:
  World() {
    pod_.uid = "u";
    pod_.ns = "ns";
    pod_.name = "f-1";
    pod_.function = "f";
    pod_.function_uid = "fu";
    pod_.finalizers = {instances::kLedgerFinalizer};
    pod_.has_node = true;
    pod_.relay.running = pod_.server.running = true;
    Open();
  }

  void Happen(char event) {
    switch (event) {
      case kTellsTaken:
        gateway_told_taken_ = true;
        known_ |= !gone_;
        ledger_.OnTaken("u", "r", kTaken);
        break;
      case kTellsEnded:
        gateway_told_end_ = true;
        known_ |= !gone_;
        ledger_.OnGatewayView("u", {"r", kTaken, 2 * kTaken, 0});
        break;
      case kReports: Report(); break;
      case kDelete:
        pod_.deleting = true;
        pod_.grace_seconds = 0;  // by force
        TellPod();
        break;
      case kKubelet:
        pod_.relay.running = pod_.server.running = false;
        pod_.relay.terminated = pod_.server.terminated = true;
        pod_.relay.message = kMessage;
        told_ |= !entered();
        TellPod();
        break;
      case kRestart:
        ledger_ = Ledger();
        Open();
        // A gateway that lives tells again what it knows.
        if (gateway_told_end_ && !acknowledged_) {
          ledger_.OnGatewayView("u", {"r", kTaken, 2 * kTaken, 0});
        } else if (gateway_told_taken_ && !gateway_told_end_) {
          ledger_.OnTaken("u", "r", kTaken);
        }
        break;
      case kMinute: now_ += seconds(61); break;
      default: FAIL();
    }
    Settle();
  }

  void Rest() {
    for (int i = 0; i < 6; ++i) Happen(kMinute);
  }

  int counted() const { return static_cast<int>(book_.sessions.total); }
  int counted_as() const {
    return book_.sessions.by_code.empty() ? 0 : book_.sessions.by_code.begin()->first;
  }
  bool gone() const { return gone_; }
  /// Its own code could be known: by a report or a message, before it was counted.
  bool told() const { return told_; }
  /// That there was a session could be known.
  bool known() const { return told_ || known_; }
  const std::vector<int>& logged() const { return logged_; }

 private:
  bool entered() const { return gone_ || !book_.uncounted.empty() || book_.sessions.total > 0; }

  void Open() {
    ledger_.OnFunction(kOwner, ++version_, book_);
    ledger_.OnPodsAsked();
    if (!gone_) ledger_.OnPod(pod_, now_);
    ledger_.OnPodsListed();
  }

  void Report() {
    if (gone_) return;  // its token is of no use any more
    v1::SessionRecord record;
    record.set_request_id("r");
    record.set_established(kTaken);
    record.set_status_code(kOwnCode);
    v1::InstanceTotals totals;
    (*totals.mutable_sessions_by_code())[kOwnCode] = 1;
    told_ |= !entered() && logged_.empty();
    ledger_.OnReport("u", record, totals, now_);
  }

  void TellPod() {
    if (!gone_) ledger_.OnPod(pod_, now_);
  }

  // All that the ledger asks for is done at once, until it asks for nothing more.
  void Settle() {
    for (int i = 0; i < 5; ++i) {
      for (const Action& action : ledger_.Plan(now_)) {
        if (const auto* log = std::get_if<LogSession>(&action)) {
          logged_.push_back(log->record.status_code());
        } else if (std::holds_alternative<AckSession>(action)) {
          acknowledged_ = true;
        } else if (std::holds_alternative<RemoveFinalizer>(action) && !gone_) {
          pod_.finalizers.clear();
          TellPod();
          const bool over = pod_.deleting;
          if (over) ledger_.OnPodGone("u", now_);
          gone_ = over;
        } else if (std::holds_alternative<RemovePod>(action) && !pod_.deleting) {
          pod_.deleting = true;
          pod_.grace_seconds = instances::kEndedGraceSeconds;
          TellPod();
        }
      }
      const auto book = ledger_.BookToWrite(kOwner, now_);
      if (!book || *book == book_) continue;
      ledger_.OnWriting(kOwner, *book);
      book_ = *book;
      ledger_.OnFunction(kOwner, ++version_, book_);
    }
  }

  Ledger ledger_;
  Book book_;
  instances::Pod pod_;
  TimePoint now_ = TimePoint() + std::chrono::hours(1);
  std::uint64_t version_ = 0;
  bool gone_ = false;
  bool gateway_told_taken_ = false;
  bool gateway_told_end_ = false;
  bool acknowledged_ = false;
  bool told_ = false;
  bool known_ = false;
  std::vector<int> logged_;
};

// What is wrong in a world; "" = nothing.
std::string WhatIsWrong(const std::string& events) {
  World world;
  for (const char event : events) world.Happen(event);
  world.Rest();
  const bool known = world.known();
  if (!world.gone()) return "its pod stays for ever";
  if (world.counted() > 1) return "counted twice";
  if (known && world.counted() != 1) return "lost";
  if (!known && world.counted() != 0) return "invented";
  if (!known) return "";
  const int code = world.told() ? kOwnCode : 500;
  if (world.counted_as() != code) return "counted as " + std::to_string(world.counted_as());
  // At least once (a new operator may say it again), and never two different codes.
  const auto& logged = world.logged();
  if (logged.empty()) return "no record";
  const bool same = std::ranges::all_of(logged, [&](int each) { return each == code; });
  return same ? "" : "a record says otherwise than the counters";
}

// Of the minutes behind the delete at most two are the kubelet's: then it has told, or never will.
bool KubeletIsInTime(const std::string& events) {
  const std::size_t deleted = events.find(kDelete);
  const std::size_t told = events.find(kKubelet);
  if (told == std::string::npos) return true;  // a lost node
  if (deleted == std::string::npos || deleted > told) return true;
  return std::count(events.begin() + static_cast<long>(deleted),
                    events.begin() + static_cast<long>(told), kMinute) <= 1;
}

// Every order of every selection of the events.
template <typename F>
void ForAll(std::string left, const std::string& so_far, const F& visit) {
  visit(so_far);
  std::sort(left.begin(), left.end());
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (i > 0 && left[i] == left[i - 1]) continue;
    std::string rest = left;
    rest.erase(i, 1);
    ForAll(rest, so_far + left[i], visit);
  }
}

TEST(VerdictModel, I4_P19_P22_EachSessionIsCountedOnceAndAsWhatItWas) {
  int worlds = 0;
  std::vector<std::string> wrong;
  ForAll("terdkommm", "", [&](const std::string& events) {
    // Without an end of its pod there is nothing to count yet; a session that is taken ends first.
    if (events.find_first_of("dkr") == std::string::npos || !KubeletIsInTime(events)) return;
    ++worlds;
    const std::string what = WhatIsWrong(events);
    if (!what.empty() && wrong.size() < 10) wrong.push_back(events + ": " + what);
  });
  for (const std::string& each : wrong) ADD_FAILURE() << each;
  EXPECT_GT(worlds, 50'000);
  testing::Test::RecordProperty("worlds", worlds);
}

TEST(VerdictModel, TheSearchFindsAKubeletThatLagsLongerThanTheLedgerWaits) {
  EXPECT_EQ(WhatIsWrong("edmk"), "");
  World world;
  for (const char event : std::string("edmmmk")) world.Happen(event);
  world.Rest();
  EXPECT_EQ(world.counted_as(), 500) << "the message came when all was counted";
}

}  // namespace
}  // namespace wsf::ledger
