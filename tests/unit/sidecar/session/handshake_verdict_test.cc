// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/handshake_verdict.h"

#include <gtest/gtest.h>

#include <string>

namespace wsf::session {
namespace {

using Kind = HandshakeEnd::Kind;

struct Row {
  const char* id;  // of table 7.1
  HandshakeEnd end;
  int status_code;
  Reason reason;
  Party closed_by;
  int http_status;
  bool is_told;  // by the platform
};

class HandshakeVerdicts : public testing::TestWithParam<Row> {};

TEST_P(HandshakeVerdicts, FollowTheTable) {
  const HandshakeVerdict verdict = JudgeHandshake(GetParam().end);
  EXPECT_EQ(verdict.status_code, GetParam().status_code);
  EXPECT_EQ(verdict.reason, GetParam().reason);
  EXPECT_EQ(verdict.closed_by, GetParam().closed_by);
  EXPECT_EQ(verdict.http_status, GetParam().http_status);
  EXPECT_EQ(verdict.refusal.has_value(), GetParam().is_told);
}

// The house's M14: what the client is told is what the record says.
TEST_P(HandshakeVerdicts, house_M14_AreToldAsTheyAreRecorded) {
  const HandshakeVerdict verdict = JudgeHandshake(GetParam().end);
  if (!verdict.refusal) return;
  EXPECT_EQ(verdict.refusal->code, verdict.status_code);
  EXPECT_EQ(verdict.refusal->reason, ReasonName(verdict.reason));
  EXPECT_EQ(verdict.refusal->http_status, verdict.http_status);
}

HandshakeEnd StoppedBy(EndKind kind) { return {Kind::kStopped, 0, kind}; }

INSTANTIATE_TEST_SUITE_P(
    Table7_1, HandshakeVerdicts,
    testing::Values(
        Row{"H16", {Kind::kClientLeft}, 499, Reason::kRequestCanceled, Party::kClient, 0, false},
        Row{"H17_200",
            {Kind::kAnswered, 200},
            200,
            Reason::kHandshakeRejected,
            Party::kServer,
            200,
            false},
        Row{"H17_404",
            {Kind::kAnswered, 404},
            200,
            Reason::kHandshakeRejected,
            Party::kServer,
            404,
            false},
        Row{"H18", {Kind::kAnswered, 500}, 443, Reason::kUserCodeError, Party::kServer, 500, false},
        Row{"H19", {Kind::kBroken}, 443, Reason::kUserCodeError, Party::kServer, 502, true},
        Row{"H20",
            {Kind::kServerExited},
            439,
            Reason::kUserProcessExited,
            Party::kServer,
            502,
            true},
        Row{"H22", {Kind::kTimedOut}, 433, Reason::kHandshakeTimeout, Party::kPlatform, 504, true},
        Row{"H22_within_an_answer",
            {Kind::kTimedOut, 200},
            433,
            Reason::kHandshakeTimeout,
            Party::kPlatform,
            200,
            false},
        Row{"P15_house_M14", StoppedBy(EndKind::kFunctionStopped), 499, Reason::kRequestCanceled,
            Party::kPlatform, 503, true},
        Row{"P20_house_M14", StoppedBy(EndKind::kGatewayShutdown), 500, Reason::kGatewayShutdown,
            Party::kPlatform, 503, true},
        Row{"P23_house_M14", StoppedBy(EndKind::kRevisionRetired), 499, Reason::kRevisionRetired,
            Party::kPlatform, 503, true}),
    [](const auto& row) { return std::string(row.param.id); });

TEST(HandshakeVerdict, house_M14_ClientsOfAStoppedFunctionAreNotSentBackAtOnce) {
  const auto told = [](EndKind kind) { return JudgeHandshake(StoppedBy(kind)).refusal->message; };
  EXPECT_EQ(told(EndKind::kFunctionStopped).find("gateway"), std::string::npos);
  EXPECT_NE(told(EndKind::kGatewayShutdown).find("gateway"), std::string::npos);
}

TEST(HandshakeVerdict, H19_SaysWhatWasWrong) {
  const HandshakeVerdict verdict = JudgeHandshake({Kind::kBroken, 0, {}, "no Upgrade field"});
  EXPECT_EQ(verdict.message, "no Upgrade field");
  EXPECT_NE(verdict.refusal->message.find("no Upgrade field"), std::string::npos);
}

}  // namespace
}  // namespace wsf::session
