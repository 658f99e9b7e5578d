// SPDX-License-Identifier: Apache-2.0
//
// Why a server ended, where the kubelet has started it again meanwhile (D25, E21, E22).

#include <gtest/gtest.h>

#include "operator/ledger/ledger.h"

namespace wsf::ledger {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kEstablished = 1'800'000'000 * kSecond + kSecond / 2;

class ServerEndTest : public testing::Test {
 protected:
  ServerEndTest() {
    ledger_.OnFunction("ns/fu", 1, {});
    ledger_.OnPodsAsked();
    ledger_.OnPodsListed();
    pod_.uid = "u";
    pod_.ns = "ns";
    pod_.name = "f-1";
    pod_.function = "f";
    pod_.function_uid = "fu";
    pod_.finalizers = {instances::kLedgerFinalizer};
    pod_.relay.running = true;
    pod_.server.running = true;
    ledger_.OnPod(pod_, now_);
    v1::SessionRecord record;
    record.set_request_id("r1");
    record.set_established(kEstablished);
    record.set_status_code(439);
    record.set_reason("UserProcessExited");
    v1::InstanceTotals totals;
    (*totals.mutable_sessions_by_code())[439] = 1;
    ledger_.OnReport("u", record, totals, now_);
  }

  void StartedAgain(const std::string& reason, int exit_code, std::int64_t finished) {
    pod_.server.restarts = 1;
    pod_.server.last_reason = reason;
    pod_.server.last_exit_code = exit_code;
    pod_.server.last_finished = finished;
  }
  void Terminated(const std::string& reason, int exit_code) {
    pod_.server.running = false;
    pod_.server.terminated = true;
    pod_.server.reason = reason;
    pod_.server.exit_code = exit_code;
  }
  // What is logged now: "code/exit code", or "" while it is waited for.
  std::string Logged() {
    ledger_.OnPod(pod_, now_);
    for (const Action& each : ledger_.Plan(now_)) {
      if (const auto* log = std::get_if<LogSession>(&each)) {
        return std::to_string(log->record.status_code()) + "/" +
               std::to_string(log->record.exit_code());
      }
    }
    return "";
  }

  TimePoint now_{100000s};
  Ledger ledger_;
  instances::Pod pod_;
};

TEST_F(ServerEndTest, D25_E22_one_that_runs_again_was_killed_for_its_memory) {
  EXPECT_EQ(Logged(), "");
  StartedAgain("OOMKilled", 137, kEstablished + kSecond);
  EXPECT_EQ(Logged(), "434/137");
}

TEST_F(ServerEndTest, D25_E22_in_the_second_of_the_101) {
  StartedAgain("OOMKilled", 137, kEstablished / kSecond * kSecond);  // whole seconds are told
  EXPECT_EQ(Logged(), "434/137");
}

TEST_F(ServerEndTest, D25_E22_and_the_next_one_was_ended_with_the_instance) {
  StartedAgain("OOMKilled", 137, kEstablished + kSecond);
  Terminated("Error", 143);
  EXPECT_EQ(Logged(), "434/137");
}

TEST_F(ServerEndTest, D25_E21_what_an_earlier_one_died_of_does_not_matter) {
  StartedAgain("OOMKilled", 137, kEstablished - kSecond);
  EXPECT_EQ(Logged(), "") << "the session's own has not been told yet";
  Terminated("Error", 3);
  EXPECT_EQ(Logged(), "439/3");
}

TEST_F(ServerEndTest, D25_E21_one_that_was_never_started_again) {
  Terminated("OOMKilled", 137);
  EXPECT_EQ(Logged(), "434/137");
}

}  // namespace
}  // namespace wsf::ledger
