// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/http/head.h"
#include "common/net/admission.h"
#include "common/net/listener.h"
#include "common/tls/server.h"
#include "operator/control/measures.h"
#include "operator/control/operator.h"
#include "operator/control/permit.h"
#include "operator/keys/keys.h"
#include "operator/service/leader.h"

namespace wsf::control {

/// The operator's port for people and for monitoring: HTTPS, and each request bears a token, which
/// Permit judges.
///
///     GET  /metrics                               of this replica, Prometheus' text format
///     GET  /sessions?namespace=NS&function=NAME   {"live": [...], "records": [...], "cursor": C}
///                   &after=C                      only the records since that answer
///     POST /sessions/ID/end                       204; 404 no such live session; 503 no answer
///
/// The token stands in Authorization, or in X-Wsf-Token: `wsf sessions` comes through the API
/// server's service proxy, which takes Authorization for itself. A page in a browser (it sends an
/// Origin) is refused. A replica that does not lead passes on what is about sessions.
///
/// Threading: confined to the operator's thread. Outlives its connections.
class AdminServer {
 public:
  /// All outlive it; `port` is that of the other replicas.
  struct Parts {
    boost::asio::io_context& io;
    Operator* the_operator;
    const service::Leader* leader;
    Permit* permit;
    Measures* measures;
    std::function<std::string()> metrics;
    std::uint16_t port;
  };
  explicit AdminServer(Parts parts);

  /// Connections made from here on are made with these. REQUIRES: before Serve.
  void Use(const keys::PortKeys& keys);
  void Serve(net::Acceptor acceptor);

 private:
  net::awaitable<void> Open(boost::asio::ip::tcp::socket client);
  net::awaitable<std::string> AnswerTo(http::RequestHead head);
  net::awaitable<std::string> AskLeader(http::RequestHead head, std::string token);
  net::awaitable<std::string> End(std::string request_id);

  const Parts parts_;
  net::Admission admission_;
  std::shared_ptr<tls::Server> tls_;  // a handshake keeps that which it began with
  std::string trusted_;
};

}  // namespace wsf::control
