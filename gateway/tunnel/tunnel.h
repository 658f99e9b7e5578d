// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "common/base/time.h"
#include "common/net/outbox.h"

namespace wsf::tunnel {

/// What every tunnel of a thread reads into: an idle one owns no buffer.
using ReadBuffer = std::array<char, 64 * 1024>;

/// Copies bytes both ways between a client and a sidecar after the 101, and looks at none (I3).
/// The end of one side is passed on once all before it is out; the sidecar judges it.
///
/// Threading: confined to one io_context thread. Pending operations keep the object alive.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  enum class Lost { kToClient, kToServer };  ///< which side ended first

  Tunnel(net::Connection client, Socket sidecar, ReadBuffer* buffer,
         std::function<void(Lost)> on_end);

  /// `early` came from the sidecar behind its head.
  void Start(std::string_view early);

  /// Ends both connections now.
  void Close();

 private:
  struct Side {
    explicit Side(net::Connection established)
        : connection(std::move(established)), outbox(&connection) {}
    net::Connection connection;
    net::Outbox outbox;  // towards this side
    bool at_eof = false;
    bool shut_down = false;
    bool write_armed = false;
  };

  Side& other(const Side& side) { return &side == &client_ ? sidecar_ : client_; }
  void ArmRead(Side& from);
  void ArmWrite(Side& to);
  void OnReadable(Side& from);
  void OnEof(Side& from);
  void ShutDown(Side& to);
  /// Closes once nothing has moved towards the client for a while.
  void Linger();

  Side client_;
  Side sidecar_;
  ReadBuffer* const buffer_;
  std::function<void(Lost)> on_end_;
  std::unique_ptr<boost::asio::steady_timer> linger_;  // only while ending
  TimePoint linger_until_;
  std::size_t unsent_ = 0;  // to the client, when it was last looked at
  bool closed_ = false;
};

}  // namespace wsf::tunnel
