// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/websocket/frame_walk.h"
#include "sidecar/session/clocks.h"
#include "sidecar/session/rate.h"
#include "sidecar/session/settings.h"
#include "sidecar/session/verdict.h"

namespace wsf::session {

/// The way out to one peer. What the peer does not take at once is kept, in order.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// Sends or queues `bytes`; returns whether the peer took any.
  virtual bool Send(std::string_view bytes) = 0;
  /// Whether bytes wait until the peer reads.
  virtual bool blocked() const = 0;
  /// How many bytes the peer has not got yet: those that wait here and those that are on their way.
  virtual std::size_t unsent() const = 0;
  /// Whether bytes wait here, or in our kernel, for which the peer's has no room.
  virtual bool is_behind() const = 0;
  /// Ends this direction (FIN). REQUIRES: !blocked().
  virtual void Finish() = 0;
};

/// How the peers' Close handshake went; `closeHandshake` of a record.
enum class CloseHandshake { kNone, kComplete, kTimeout };

/// What is known of a session when it is over.
struct Outcome {
  End end;
  CloseHandshake close_handshake = CloseHandshake::kNone;
  websocket::Counts to_server;
  websocket::Counts to_client;
  Duration throttled{};
  bool client_is_behind = false;  ///< its machine has not taken all that was sent to it
};

/// The course of one session from its 101 on, without any I/O: told what the peers send and what
/// time it is, it relays their frames as they are, until the first terminal event (behaviour.md
/// 7.4) ends it.
///
/// Phases: live, then, when a peer sent a Close or the client broke the protocol, closing (the
/// other direction goes on until its own Close, E28, at most closeTimeout after it took the last
/// byte, A20, and for progress not beyond the execution timeout), then lingering (what is queued
/// goes out, TCP ends, what still comes is read and dropped, until nothing has moved for 2 s, at
/// most a minute, A7), then gone.
///
/// After every call the owner looks at Reads(), NextDeadline(), outcome() and gone().
///
/// Threading: not synchronized; confined to the session's thread. No clock, no sockets.
class Course {
 public:
  /// The outlets outlive the course. `allowed_rsv` as in FrameWalk.
  Course(Outlet* to_client, Outlet* to_server, const Settings& settings, Clocks clocks,
         std::uint8_t allowed_rsv);

  /// The 101 has been passed on.
  void Start(TimePoint now);

  /// `bytes` are Rest(from), followed by what the peer sent.
  void OnBytes(Peer from, std::span<const std::uint8_t> bytes, TimePoint now);
  /// The peer sends nothing more: its FIN was read, or its connection is broken.
  void OnEof(Peer from, TimePoint now);
  /// The peer took some of what was queued for it.
  void OnWritten(Peer to, TimePoint now);
  /// NextDeadline() may have been reached; harmless when it was not.
  void OnTime(TimePoint now);
  /// Ends the session from the platform's side (P15, P20, P23). One that has ended keeps its end,
  /// and gives its peers no more time than one that just has.
  void EndBy(EndKind kind, TimePoint now);

  /// Whether what the peer sends is to be read now: not while the other side is blocked (I8) or
  /// the peer is throttled (A11).
  bool Reads(Peer from) const;
  /// What was read from the peer and not yet judged: at most FrameWalk::kMaxCarryBytes while
  /// Reads(from). The owner offers it again in front of the next bytes.
  std::string_view Rest(Peer from) const { return side(from).rest; }
  /// Whether the client is being throttled.
  bool holds() const { return held_since_.has_value(); }
  TimePoint NextDeadline() const;
  /// Set once the verdict stands.
  const std::optional<Outcome>& outcome() const { return outcome_; }
  /// Nothing is left to do: both connections may be closed.
  bool gone() const { return phase_ == Phase::kGone; }

 private:
  enum class Phase { kLive, kClosing, kAwaitingServerFin, kLingering, kGone };

  // One peer: the way out to it, and what it sends.
  struct Side {
    Peer peer;
    Outlet* outlet;
    websocket::FrameWalk walk;     // of what this peer sends
    std::string rest;              // of what it sent, not judged yet
    std::size_t unsent = 0;        // to this peer, when it was last looked at
    bool queued_activity = false;  // what waits for this peer holds some of a data frame (A6)
    bool sent_close = false;       // what comes behind a Close is dropped (E27)
    bool at_eof = false;
    bool finished = false;
  };

  Side& side(Peer peer) { return peer == Peer::kClient ? client_ : server_; }
  const Side& side(Peer peer) const { return peer == Peer::kClient ? client_ : server_; }
  Side& other(const Side& from) { return side(Other(from.peer)); }
  bool relays() const { return phase_ == Phase::kLive || phase_ == Phase::kClosing; }

  void Take(Side& from, std::span<const std::uint8_t> bytes, TimePoint now);
  void Forward(Side& to, std::string_view bytes, bool is_activity, TimePoint now);
  void Hold(std::string_view rest, TimePoint now);
  void Resume(TimePoint now);
  void OnClose(Side& from, std::string_view frame, TimePoint now);
  void EndWith(End end, TimePoint now);
  void Say(Side& to, const Goodbye& goodbye);
  void SayToServer(TimePoint now);
  void BeginClosing(TimePoint now);
  void Enter(Phase phase, TimePoint until, TimePoint now);
  /// The client broke the protocol: it is told what it did, not how its server took that (E08).
  bool client_broke_it() const {
    return end_.kind == EndKind::kProtocolError && end_.peer == Peer::kClient;
  }
  bool Moves(Side& to);
  void FinishClosing(CloseHandshake handshake, TimePoint now);
  void Decide(CloseHandshake handshake, TimePoint now);
  void Linger(TimePoint now);
  void GoOn(TimePoint now);
  void Finish(Side& to);
  void CheckGone(TimePoint now);

  Side client_;
  Side server_;
  const Settings settings_;
  Clocks clocks_;
  std::unique_ptr<Rate> rate_;  // only where the client is limited
  Phase phase_ = Phase::kLive;
  TimePoint phase_deadline_;               // of every phase but kLive
  TimePoint phase_until_;                  // whatever moves
  TimePoint stop_by_ = TimePoint::max();   // the platform wants its end
  std::optional<TimePoint> to_server_at_;  // a Close of ours that waits for the server's answers
  TimePoint told_server_;                  // when it was last sent something of its client's
  std::optional<TimePoint> held_since_;
  TimePoint resume_at_;
  Duration throttled_{};
  End end_;
  std::optional<Outcome> outcome_;
};

}  // namespace wsf::session
