// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <vector>

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

}  // namespace wsf::slot
