// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "common/base/reason.h"
#include "common/http/refusal.h"
#include "sidecar/session/verdict.h"

namespace wsf::session {

/// How the passing of a handshake to the server ended, other than by a 101: rows H16 to H22.
struct HandshakeEnd {
  enum class Kind {
    kAnswered,      ///< the server's own answer was passed on (H17, H18)
    kBroken,        ///< it hung up, or answered what is no answer, and still listens (H19)
    kServerExited,  ///< it hung up, and its port no longer listens (H20)
    kClientLeft,    ///< H16
    kTimedOut,      ///< H22
    kStopped,       ///< the platform ended it (P15, P20, P23)
  };
  Kind kind = Kind::kBroken;
  int http_status = 0;  ///< of the answer that the client has got, whole or in part; 0 = none
  EndKind stopped_by = EndKind::kFunctionStopped;  ///< only of kStopped
  std::string what = {};                           ///< only of kBroken: what was wrong
};

/// What is recorded of it, and what the client is told: one value, so that they cannot differ.
struct HandshakeVerdict {
  int status_code = 0;  ///< function status code
  Reason reason = Reason::kNone;
  Party closed_by = Party::kServer;
  int http_status = 0;  ///< what the client gets; 0 = nothing, it has left
  std::string message = {};
  std::optional<http::Refusal> refusal = {};  ///< the platform's answer; nothing where one went out
};

HandshakeVerdict JudgeHandshake(const HandshakeEnd& end);

}  // namespace wsf::session
