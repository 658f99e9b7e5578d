// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

namespace wsf::net {

/// Sends one control request to a sidecar's relay port (contracts.md): `state`, `close` or `end`.
struct ControlRequest {
  std::string address;  ///< ip:port
  std::string claim_token;
  std::string command;
  std::string reason;      ///< only for `end`
  std::string request_id;  ///< only for `end`: this session alone; "" = all
};

/// What came back; `http_status` 0: no answer within 1 s, or none that a sidecar gives (8 KiB).
struct ControlAnswer {
  int http_status = 0;
  std::string body;
};

/// `done` runs on `io`'s thread, once.
void AskSidecar(boost::asio::io_context& io, ControlRequest request,
                std::function<void(ControlAnswer)> done);

}  // namespace wsf::net
