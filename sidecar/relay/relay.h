// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "common/net/outbox.h"
#include "sidecar/session/course.h"

namespace wsf::relay {

/// What every relay of a process reads into, one at a time: an idle session owns no buffer. The
/// front is room for the tail of the read before.
struct ReadBuffer {
  static constexpr std::size_t kReadBytes = 64 * 1024;
  std::array<std::uint8_t, websocket::FrameWalk::kMaxCarryBytes + kReadBytes> bytes;
};

/// The sockets and the one timer of a live session; its rules are in session::Course.
///
/// Threading: confined to the io_context's one thread. Pending operations keep the object alive.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  struct Callbacks {
    std::function<void(const session::Outcome&)> on_end;  ///< once, when the verdict stands
    std::function<void()> on_gone;                        ///< once, when both sockets are closed
  };

  /// `allowed_rsv` as in FrameWalk. `buffer` must outlive the relay.
  Relay(Socket client, Socket server, const session::Settings& settings, session::Clocks clocks,
        std::uint8_t allowed_rsv, ReadBuffer* buffer, Callbacks callbacks);

  /// Starts relaying; `early` is what the server sent behind its 101.
  void Start(std::string_view early);

  /// Ends the session from the platform's side (P15, P20, P23), or what is left of it.
  void EndBy(session::EndKind kind);

 private:
  // One connection.
  struct Side final : session::Outlet {
    Side(session::Peer its_peer, Socket socket)
        : peer(its_peer), connection(std::move(socket)), outbox(&connection) {}
    bool Send(std::string_view bytes) override { return outbox.Send(bytes); }
    bool blocked() const override { return outbox.blocked(); }
    std::size_t unsent() const override { return outbox.unsent(); }
    bool is_behind() const override { return outbox.is_behind(); }
    void Finish() override { connection.Finish(); }

    session::Peer peer;
    net::Connection connection;
    net::Outbox outbox;
    bool read_armed = false;
    bool write_armed = false;
    bool break_armed = false;
  };

  /// After every event: waits for what the course wants next, and tells what has come of it.
  void Settle();
  void ArmRead(Side& from);
  void ArmWrite(Side& to);
  void ArmBreak();
  void ArmTimer();
  void OnReadable(Side& from);
  /// Reads once; returns whether more may be waiting.
  bool ReadOnce(Side& from);

  Side client_;
  Side server_;
  session::Course course_;
  ReadBuffer* const buffer_;
  Callbacks callbacks_;
  boost::asio::steady_timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  bool closed_ = false;
};

}  // namespace wsf::relay
