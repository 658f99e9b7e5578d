// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <vector>

#include "common/net/await.h"

namespace wsf::slot {

/// Where the server is looked for: its port on each of these addresses, in order.
struct ServerPort {
  std::vector<boost::asio::ip::address> addresses;
  std::uint16_t port = 9000;
};

/// The first address on which the server's port listens, or `none`.
///
/// Asks the kernel for exactly (address, port) by NETLINK_SOCK_DIAG: 0.006 ms, nothing reaches the
/// server. Where netlink is refused (gVisor) it dials and hangs up instead.
class ListenProbe {
 public:
  ListenProbe();
  ~ListenProbe();
  ListenProbe(const ListenProbe&) = delete;
  ListenProbe& operator=(const ListenProbe&) = delete;

  /// An index into `server.addresses`; -1 while none listens.
  int Find(const ServerPort& server);

 private:
  bool Listens(const boost::asio::ip::address& address, std::uint16_t port);

  int netlink_;  // -1: dial instead
};

/// Whether a server whose connection was lost has exited (E21, H20) and not only hung up (E19,
/// H19): asks for its port at once and again after 50 ms, since a process that exits closes its
/// connections before its port.
net::awaitable<bool> HasExited(ListenProbe& probe, boost::asio::ip::tcp::endpoint server);

}  // namespace wsf::slot
