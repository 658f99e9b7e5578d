// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "operator/guard/guard.h"
#include "operator/keys/keys.h"
#include "operator/service/inner_server.h"

namespace wsf::control {

/// One of the operator's two gRPC ports (contracts.md, "Two listeners of the operator"): a Guard
/// before an InnerServer, and a look every few seconds whether both still serve.
///
/// Threading: confined to the operator's thread; the Guard runs on its own.
class Port {
 public:
  /// `io` is the operator's, `guard_io` that of the guards; all outlive it.
  Port(boost::asio::io_context& io, boost::asio::io_context& guard_io, const std::string& address,
       guard::Guard::Options options, grpc::Service* service, int max_message_bytes);

  /// Takes the address; InvalidArgument says what to do.
  absl::Status Listen();
  /// Connections made from here on are made with these. The first call opens the port.
  void Use(const keys::PortKeys& keys);

  /// It has answered a call of ours within the last 20 s, or is not open yet.
  bool Answers() const;
  guard::Guard::Refused refused() const { return guard_.refused(); }

 private:
  void Check();

  boost::asio::io_context& io_;
  boost::asio::io_context& guard_io_;
  const std::string address_;
  service::InnerServer server_;
  guard::Guard guard_;
  std::optional<net::Acceptor> acceptor_;
  std::string own_address_;  // where it is reached from within
  std::string trusted_;
  tls::KeyPair client_;
  boost::asio::steady_timer timer_;
  TimePoint answered_ = TimePoint::max();
};

}  // namespace wsf::control
