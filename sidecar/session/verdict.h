// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "common/base/reason.h"
#include "common/websocket/close.h"
#include "sidecar/session/settings.h"

namespace wsf::session {

/// An end of the relay.
enum class Peer { kClient, kServer };

inline Peer Other(Peer peer) { return peer == Peer::kClient ? Peer::kServer : Peer::kClient; }

/// Why a session ended. A session has exactly one: the first (behaviour.md 7.4).
enum class EndKind {
  kClosed,            ///< a peer sent a Close frame
  kLost,              ///< a transport ended without a Close frame
  kServerExited,      ///< as kLost of the server, and its port no longer listens (E21)
  kProtocolError,     ///< a peer broke RFC 6455 section 5 or 7.4
  kMessageTooLarge,   ///< a peer's message is over the limit (P09, P10)
  kTooFast,           ///< the client talks faster than it may, and is not throttled (P13)
  kIdleTimeout,       ///< no data frame either way for the idle timeout (P01)
  kExecutionTimeout,  ///< the execution timeout was reached in use (P05)
  kFunctionStopped,   ///< function or pod deleted, function suspended (P15, P16)
  kGatewayShutdown,   ///< the gateway's drain time is over (P20)
  kRevisionRetired,   ///< rollout.liveSessionSeconds are over (P23)
};

/// The end of a session, as a value.
struct End {
  EndKind kind = EndKind::kLost;
  Peer peer = Peer::kServer;  ///< who caused it; meaningless where the platform did
  /// Of kClosed; of kProtocolError what the offender is told.
  websocket::Close close = {};
};

/// What the platform itself does to one side at the end.
struct Goodbye {
  enum class Kind {
    kRelayed,  ///< nothing of our own: the peers' Close handshake is relayed (A20)
    kClose,    ///< a Close frame with `code` and `text`, then as kAbort
    kAbort,    ///< flush what is queued, then end the TCP connection (A7)
  };
  Kind kind = Kind::kRelayed;
  std::uint16_t code = 0;
  std::string text;

  bool operator==(const Goodbye&) const = default;
};

/// One row of table 7.2 or 7.3.
struct Verdict {
  int status_code = 0;  ///< function status code
  Reason reason = Reason::kNone;
  Party closed_by = Party::kPlatform;
  std::uint16_t close_code = 0;  ///< the first Close seen (7.2) or what the client was given (7.3)
  Goodbye to_client;
  Goodbye to_server;
};

/// The one mapping from how a session ended to its verdict: tables 7.2, 7.3 and section 7.4.
Verdict Judge(const End& end, const Settings& settings);

/// The function status code of a Close frame with `code` from `sender`: 200, 439 or 456.
int StatusOfClose(Peer sender, std::uint16_t code, EmptyClose empty_close);

}  // namespace wsf::session
