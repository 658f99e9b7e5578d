// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/net/outbox.h"
#include "common/websocket/frame_walk.h"
#include "sidecar/session/clocks.h"
#include "sidecar/session/settings.h"
#include "sidecar/session/verdict.h"

namespace wsf::relay {

/// What every relay of a process reads into, one at a time: an idle session owns no buffer. The
/// front is room for the tail of the read before.
struct ReadBuffer {
  static constexpr std::size_t kReadBytes = 64 * 1024;
  std::array<std::uint8_t, websocket::FrameWalk::kMaxCarryBytes + kReadBytes> bytes;
};

/// How the peers' Close handshake went; `closeHandshake` of a record.
enum class CloseHandshake { kNone, kComplete, kTimeout };

/// What is known of a session when it is over.
struct Outcome {
  session::End end;
  CloseHandshake close_handshake = CloseHandshake::kNone;
  websocket::Counts to_server;
  websocket::Counts to_client;
};

/// One live session: two connections, their frames walked and relayed as they are, until the first
/// terminal event (behaviour.md 7.4) ends it.
///
/// Phases: live, then, when a peer sent a Close, closing (the other direction goes on until its own
/// Close, E28, at most closeTimeout), then lingering (what is queued goes out, TCP ends, what still
/// comes is read and dropped, at most 2 s).
///
/// Threading: confined to the io_context's one thread. Pending operations keep the object alive.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  struct Callbacks {
    std::function<void(const Outcome&)> on_end;  ///< once, when the verdict stands
    std::function<void()> on_gone;               ///< once, when both sockets are closed
  };

  /// `allowed_rsv` as in FrameWalk. `buffer` must outlive the relay.
  Relay(Socket client, Socket server, const session::Settings& settings, session::Clocks clocks,
        std::uint8_t allowed_rsv, ReadBuffer* buffer, Callbacks callbacks);

  /// Starts relaying; `early` is what the server sent behind its 101.
  void Start(std::string_view early);

  /// Ends the session from the platform's side (P15, P20, P23). No effect once it has ended.
  void EndBy(session::EndKind kind);

 private:
  enum class Phase { kLive, kClosing, kAwaitingServerFin, kLingering, kGone };

  // One connection and what its peer sends.
  struct Side {
    Side(session::Peer peer, Socket socket, websocket::FrameWalk walk)
        : peer(peer), socket(std::move(socket)), outbox(this->socket.native_handle()), walk(walk) {}
    session::Peer peer;
    Socket socket;
    net::Outbox outbox;         // towards this peer
    websocket::FrameWalk walk;  // of what this peer sends
    std::string carry;          // the tail of the last read that could not be judged yet
    bool sent_close = false;    // what comes behind a Close is dropped (E27)
    bool at_eof = false;
    bool shut_down = false;
    bool read_armed = false;
    bool write_armed = false;
  };

  Side& side(session::Peer peer) { return peer == session::Peer::kClient ? client_ : server_; }
  Side& other(const Side& from) { return side(session::Other(from.peer)); }

  void ArmRead(Side& from);
  void ArmWrite(Side& to);
  void ArmTimer(TimePoint deadline);
  void OnReadable(Side& from);
  void OnWritable(Side& to);
  void OnTimer();

  /// Reads once; returns whether more may be waiting.
  bool ReadOnce(Side& from);
  void OnEof(Side& from);
  void Take(Side& from, std::span<const std::uint8_t> bytes);
  void OnClose(Side& from, std::string_view frame);
  void Forward(Side& to, std::string_view bytes, bool has_data);

  void EndWith(session::End end);
  void Say(Side& to, const session::Goodbye& goodbye);
  void FinishClosing(CloseHandshake handshake);
  void Report(CloseHandshake handshake);
  void Linger();
  void ShutDown(Side& to);
  void CheckGone();

  Side client_;
  Side server_;
  const session::Settings settings_;
  session::Clocks clocks_;
  ReadBuffer* const buffer_;
  Callbacks callbacks_;
  boost::asio::steady_timer timer_;
  Phase phase_ = Phase::kLive;
  TimePoint phase_deadline_;
  session::End end_;
};

}  // namespace wsf::relay
