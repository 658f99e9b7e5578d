// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/handshake_verdict.h"

#include <utility>

namespace wsf::session {
namespace {

HandshakeVerdict Answered(int http_status) {
  if (http_status >= 500) return {443, Reason::kUserCodeError, Party::kServer, http_status};
  return {200, Reason::kHandshakeRejected, Party::kServer, http_status};
}

HandshakeVerdict Refused(http::Refusal refusal, Reason reason, Party closed_by) {
  HandshakeVerdict verdict = {refusal.code, reason, closed_by, refusal.http_status};
  verdict.refusal = std::move(refusal);
  return verdict;
}

HandshakeVerdict JudgeUnanswered(const HandshakeEnd& end) {
  switch (end.kind) {
    case HandshakeEnd::Kind::kAnswered: break;
    case HandshakeEnd::Kind::kBroken: {
      HandshakeVerdict verdict =
          Refused(http::ServerBroken(end.what), Reason::kUserCodeError, Party::kServer);
      verdict.message = end.what;
      return verdict;
    }
    case HandshakeEnd::Kind::kServerExited:
      return Refused(http::ServerExited(), Reason::kUserProcessExited, Party::kServer);
    case HandshakeEnd::Kind::kClientLeft: return {499, Reason::kRequestCanceled, Party::kClient, 0};
    case HandshakeEnd::Kind::kTimedOut:
      return Refused(http::HandshakeTimedOut(), Reason::kHandshakeTimeout, Party::kPlatform);
    case HandshakeEnd::Kind::kStopped: {
      // As if it had been live.
      const Verdict live = Judge({end.stopped_by, Peer::kServer, {}}, Settings());
      return Refused(http::Stopped(live.status_code, live.reason), live.reason, live.closed_by);
    }
  }
  return {};
}

}  // namespace

HandshakeVerdict JudgeHandshake(const HandshakeEnd& end) {
  if (end.kind == HandshakeEnd::Kind::kAnswered) return Answered(end.http_status);
  HandshakeVerdict verdict = JudgeUnanswered(end);
  if (end.http_status == 0) return verdict;
  verdict.http_status = end.http_status;
  verdict.refusal.reset();
  return verdict;
}

}  // namespace wsf::session
