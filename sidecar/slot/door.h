// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/await.h"
#include "sidecar/slot/instance.h"

namespace wsf::slot {

/// The relay port: accepts, reads one head a connection, hands it to the instance. User code shares
/// the address, so whoever has not shown a head yet is bounded in number and time.
///
/// Threading: confined to the io_context's one thread.
class Door {
 public:
  /// Binds and listens; `error` says why it could not.
  Door(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& address,
       Instance* instance, net::error_code& error);

  void Start();

 private:
  net::awaitable<void> Accept();
  net::awaitable<void> Read(boost::asio::ip::tcp::socket client);

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  Instance* const instance_;
  int reading_ = 0;
};

}  // namespace wsf::slot
