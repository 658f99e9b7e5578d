// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/verdict.h"

#include "absl/strings/str_cat.h"

namespace wsf::session {
namespace {

using websocket::kAbnormal;
using websocket::kGoingAway;
using websocket::kPolicyViolation;
using websocket::kServiceRestart;
using websocket::kTooBig;

Goodbye SayClose(std::uint16_t code, std::string text = "") {
  return {Goodbye::Kind::kClose, code, std::move(text)};
}
Goodbye Abort() { return {Goodbye::Kind::kAbort, 0, ""}; }

int FailureOf(Peer peer) { return peer == Peer::kClient ? 456 : 439; }
Party PartyOf(Peer peer) { return peer == Peer::kClient ? Party::kClient : Party::kServer; }

Verdict Closed(const End& end, const Settings& settings) {
  const int status = StatusOfClose(end.peer, end.close.code, settings.empty_close);
  const Reason failure =
      end.peer == Peer::kClient ? Reason::kClosedByClient : Reason::kClosedByServer;
  return {status,
          status == 200 ? Reason::kClosed : failure,
          PartyOf(end.peer),
          end.close.code,
          Goodbye{},
          Goodbye{}};
}

Verdict Lost(Peer peer, Reason server_reason) {
  const bool client = peer == Peer::kClient;
  return {FailureOf(peer), client ? Reason::kClientConnectionLost : server_reason,
          PartyOf(peer),   kAbnormal,
          Abort(),         Abort()};
}

// The offender is told (A7 a). A server gets a Close in the place of what its client did wrong: it
// ends as in any other close, and what it still has to say arrives. A client gets an abort.
Verdict Broken(Peer peer, std::uint16_t code) {
  const bool client = peer == Peer::kClient;
  return {FailureOf(peer),
          client ? Reason::kClientProtocolError : Reason::kServerProtocolError,
          PartyOf(peer),
          code,
          client ? SayClose(code) : Abort(),
          SayClose(code)};
}

Verdict TooLarge(Peer peer, const Settings& settings) {
  const std::string limit = absl::StrCat("message exceeds ", settings.max_message_bytes, " bytes");
  if (peer == Peer::kClient) {
    return {406,     Reason::kRequestTooLarge, Party::kPlatform,
            kTooBig, SayClose(kTooBig, limit), SayClose(kGoingAway, "406 request too large")};
  }
  return {407,
          Reason::kResponseTooLarge,
          Party::kPlatform,
          kGoingAway,
          SayClose(kGoingAway, "407 response too large"),
          SayClose(kTooBig, limit)};
}

Verdict TooFast() {
  return {429,
          Reason::kRateLimitExceeded,
          Party::kPlatform,
          kPolicyViolation,
          SayClose(kPolicyViolation, "rate limit"),
          SayClose(kGoingAway, "429 rate limit exceeded")};
}

Verdict TimedOut(int code, Reason reason, TimeoutAction to_client, std::string text) {
  const bool close = to_client == TimeoutAction::kClose;
  return {code,
          reason,
          Party::kPlatform,
          close ? kGoingAway : kAbnormal,
          close ? SayClose(kGoingAway, text) : Abort(),
          SayClose(kGoingAway, text)};
}

Verdict Stopped(int code, Reason reason, std::uint16_t client_code, const std::string& text) {
  return {code,
          reason,
          Party::kPlatform,
          client_code,
          SayClose(client_code, text),
          SayClose(kGoingAway, text)};
}

}  // namespace

int StatusOfClose(Peer sender, std::uint16_t code, EmptyClose empty_close) {
  switch (code) {
    case 1000: return 200;
    // 1010 is a client's to send, 1011 a server's (RFC 6455 7.4.1): elsewhere failures (A2).
    case 1010: return sender == Peer::kClient ? 200 : FailureOf(sender);
    case 1011: return sender == Peer::kServer ? 200 : FailureOf(sender);
    case websocket::kNoCode: return empty_close == EmptyClose::kSuccess ? 200 : FailureOf(sender);
    default: return FailureOf(sender);
  }
}

Verdict Judge(const End& end, const Settings& settings) {
  switch (end.kind) {
    case EndKind::kClosed: return Closed(end, settings);
    case EndKind::kLost: return Lost(end.peer, Reason::kServerConnectionLost);
    case EndKind::kServerExited: return Lost(Peer::kServer, Reason::kUserProcessExited);
    case EndKind::kProtocolError: return Broken(end.peer, end.close.code);
    case EndKind::kMessageTooLarge: return TooLarge(end.peer, settings);
    case EndKind::kTooFast: return TooFast();
    case EndKind::kIdleTimeout:
      return TimedOut(455, Reason::kIdleTimeout, settings.on_idle, "455 idle timeout");
    case EndKind::kExecutionTimeout:
      return TimedOut(433, Reason::kTimeLimitReached, settings.on_execution,
                      "433 execution timeout");
    case EndKind::kFunctionStopped:
      return Stopped(499, Reason::kRequestCanceled, kGoingAway, "499 function stopped");
    case EndKind::kGatewayShutdown:
      return Stopped(500, Reason::kGatewayShutdown, kServiceRestart, "500 gateway shutdown");
    case EndKind::kRevisionRetired:
      return Stopped(499, Reason::kRevisionRetired, kGoingAway, "499 revision retired");
  }
  return {};
}

}  // namespace wsf::session
