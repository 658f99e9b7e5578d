// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>

#include "common/http/head.h"
#include "common/http/refusal.h"
#include "common/net/await.h"
#include "common/net/connection.h"
#include "gateway/door/door.h"
#include "gateway/front/broker.h"
#include "gateway/front/forward.h"
#include "gateway/front/loopback_rule.h"
#include "gateway/tunnel/tunnel.h"

namespace wsf::front {

/// Serves one client connection up to the 101, then leaves it to a Tunnel (table 7.1).
///
/// Threading: confined to the gateway's thread.
class Handshake : public std::enable_shared_from_this<Handshake> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  /// What a gateway shares between its connections. All outlives them.
  struct Parts {
    boost::asio::io_context& io;
    Broker& broker;
    const Exposure& exposure;
    const door::Trusted& trusted;
    net::Admission& admission;
    tunnel::ReadBuffer& buffer;
    /// Whether new connections are to be sent here (H33).
    std::function<bool()> is_ready;
    /// Why nobody is let in now (H31); nothing while the gateway serves.
    std::function<std::optional<http::Refusal>()> closed;
    std::function<void(const http::Refusal&, const std::string& request_id)> on_refused;
    /// A 101 was passed on, so long after the handshake was complete.
    enum class Start { kWarm, kCold };
    std::function<void(Start, Duration)> on_established;
  };

  Handshake(Parts parts, door::Arrival arrival);

  net::awaitable<void> Run();

 private:
  enum class Tried { kOver, kNext, kLostAfterTaken, kStuck };

  net::awaitable<std::optional<http::Refusal>> ReadRequest();
  /// Answers a load balancer's check (H33); false for any other request.
  net::awaitable<bool> AnswerCheck();
  net::awaitable<std::optional<http::Refusal>> AwaitRoutes();
  /// What the connection and the head say together: SNI, exposure, load (H29, U10, H31).
  std::optional<http::Refusal> CheckClient();
  std::optional<http::Refusal> CheckRoute();
  net::awaitable<void> Serve();
  /// Dials one instance and passes the handshake; kOver when the client has its answer, kStuck when
  /// its time is over.
  net::awaitable<Tried> Try(const v1::Free& instance);
  /// The sidecar went away, or was none; `taken` says whether it had taken the slot (H26).
  Tried LostSidecar(const v1::Free& instance, bool taken);
  net::awaitable<void> Refuse(http::Refusal refusal);
  void WatchClient();
  void StartTunnel(Socket sidecar, const v1::Free& instance, const std::string& early, int status);

  Parts parts_;
  net::Connection client_;
  door::Client peer_;
  TimePoint head_until_;
  http::RequestHead request_;
  std::string function_key_;
  route::Match match_;  // as the request resolved when it came
  std::string request_id_;
  std::shared_ptr<Broker::Ticket> ticket_;
  Socket sidecar_;
  bool over_ = false;  // the client is no longer ours to watch
  bool client_left_ = false;
  bool client_spoke_ = false;  // bytes before the 101 (H29)
};

}  // namespace wsf::front
