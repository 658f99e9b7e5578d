// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/verdict.h"

#include <gtest/gtest.h>

#include <string>

namespace wsf::session {
namespace {

struct Row {
  const char* id;  // of tables 7.2 and 7.3
  End end;
  int status_code;
  Reason reason;
  Party closed_by;
  int close_code;
};

class Verdicts : public testing::TestWithParam<Row> {};

TEST_P(Verdicts, FollowTheTable) {
  const Verdict verdict = Judge(GetParam().end, Settings());
  EXPECT_EQ(verdict.status_code, GetParam().status_code);
  EXPECT_EQ(verdict.reason, GetParam().reason);
  EXPECT_EQ(verdict.closed_by, GetParam().closed_by);
  EXPECT_EQ(verdict.close_code, GetParam().close_code);
}

End Closed(Peer peer, int code) {
  return {EndKind::kClosed, peer, {static_cast<std::uint16_t>(code), ""}};
}
End Broke(Peer peer) { return {EndKind::kProtocolError, peer, {1002, ""}}; }
End Of(EndKind kind, Peer peer = Peer::kServer) { return {kind, peer, {}}; }

constexpr Party kC = Party::kClient;
constexpr Party kS = Party::kServer;
constexpr Party kP = Party::kPlatform;

INSTANTIATE_TEST_SUITE_P(
    Ends, Verdicts,
    testing::Values(
        Row{"E01", Closed(Peer::kClient, 1000), 200, Reason::kClosed, kC, 1000},
        Row{"E02", Closed(Peer::kClient, 1010), 200, Reason::kClosed, kC, 1010},
        Row{"E03", Closed(Peer::kClient, 1011), 456, Reason::kClosedByClient, kC, 1011},
        Row{"E04", Closed(Peer::kClient, 1001), 456, Reason::kClosedByClient, kC, 1001},
        Row{"E06", Closed(Peer::kClient, 4999), 456, Reason::kClosedByClient, kC, 4999},
        Row{"E07", Closed(Peer::kClient, 1005), 456, Reason::kClosedByClient, kC, 1005},
        Row{"E09", Of(EndKind::kLost, Peer::kClient), 456, Reason::kClientConnectionLost, kC, 1006},
        Row{"E10", Broke(Peer::kClient), 456, Reason::kClientProtocolError, kC, 1002},
        Row{"E12", Closed(Peer::kServer, 1000), 200, Reason::kClosed, kS, 1000},
        Row{"E13", Closed(Peer::kServer, 1011), 200, Reason::kClosed, kS, 1011},
        Row{"E14", Closed(Peer::kServer, 1010), 439, Reason::kClosedByServer, kS, 1010},
        Row{"E17", Closed(Peer::kServer, 1005), 439, Reason::kClosedByServer, kS, 1005},
        Row{"E19", Of(EndKind::kLost), 439, Reason::kServerConnectionLost, kS, 1006},
        Row{"E20", Broke(Peer::kServer), 439, Reason::kServerProtocolError, kS, 1002},
        Row{"E21", Of(EndKind::kServerExited), 439, Reason::kUserProcessExited, kS, 1006},
        Row{"P01", Of(EndKind::kIdleTimeout), 455, Reason::kIdleTimeout, kP, 1001},
        Row{"P05", Of(EndKind::kExecutionTimeout), 433, Reason::kTimeLimitReached, kP, 1006},
        Row{"P09", Of(EndKind::kMessageTooLarge, Peer::kClient), 406, Reason::kRequestTooLarge, kP,
            1009},
        Row{"P10", Of(EndKind::kMessageTooLarge), 407, Reason::kResponseTooLarge, kP, 1001},
        Row{"P15", Of(EndKind::kFunctionStopped), 499, Reason::kRequestCanceled, kP, 1001},
        Row{"P20", Of(EndKind::kGatewayShutdown), 500, Reason::kGatewayShutdown, kP, 1012},
        Row{"P23", Of(EndKind::kRevisionRetired), 499, Reason::kRevisionRetired, kP, 1001}),
    [](const auto& row) { return std::string(row.param.id); });

TEST(Goodbyes, E10_BothSidesAreToldOfAClientsViolation) {
  const Verdict verdict = Judge(Broke(Peer::kClient), Settings());
  EXPECT_EQ(verdict.to_client, (Goodbye{Goodbye::Kind::kClose, 1002, ""}));
  EXPECT_EQ(verdict.to_server, (Goodbye{Goodbye::Kind::kClose, 1002, ""}));
}

TEST(Goodbyes, P05_S3_10_TheExecutionTimeoutAbortsTheClientOnly) {
  const Verdict verdict = Judge(Of(EndKind::kExecutionTimeout), Settings());
  EXPECT_EQ(verdict.to_client.kind, Goodbye::Kind::kAbort);
  EXPECT_EQ(verdict.to_server, (Goodbye{Goodbye::Kind::kClose, 1001, "433 execution timeout"}));
}

TEST(Goodbyes, A7_BothTimeoutsHaveBothOptions) {
  Settings settings;
  settings.on_idle = TimeoutAction::kAbort;
  settings.on_execution = TimeoutAction::kClose;
  EXPECT_EQ(Judge(Of(EndKind::kIdleTimeout), settings).to_client.kind, Goodbye::Kind::kAbort);
  EXPECT_EQ(Judge(Of(EndKind::kIdleTimeout), settings).close_code, 1006);
  EXPECT_EQ(Judge(Of(EndKind::kExecutionTimeout), settings).to_client.code, 1001);
}

TEST(StatusOfClose, E07_E17_AnEmptyCloseIsSuccessWhereTheFunctionSaysSo) {
  EXPECT_EQ(StatusOfClose(Peer::kClient, 1005, EmptyClose::kSuccess), 200);
  EXPECT_EQ(StatusOfClose(Peer::kServer, 1005, EmptyClose::kSuccess), 200);
}

}  // namespace
}  // namespace wsf::session
