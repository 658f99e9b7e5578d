// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/door.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/base/ids.h"
#include "common/net/deadline.h"
#include "common/net/endpoint.h"
#include "common/net/head_reader.h"
#include "common/net/tuning.h"
#include "gateway/door/proxy_protocol.h"

namespace wsf::door {
namespace {

// From the first byte to the end of the request head, TLS included (faults.md 34).
constexpr auto kHeadTime = std::chrono::seconds(10);
constexpr auto kNothingNew = std::chrono::milliseconds(100);
// Told why they are turned away; more at once are just hung up on.
constexpr int kMaxTurningAway = 32;

// Of the peer; "" when it has reset the connection already.
std::string AddressOf(net::Connection& connection) {
  net::error_code error;
  const auto peer = connection.socket().remote_endpoint(error);
  return error ? "" : net::PlainAddress(peer.address()).to_string();
}

// Waits for something to come and looks at it, without taking it; "" = nothing comes any more, or
// time is up.
net::awaitable<std::string_view> Peek(net::Connection& connection, const net::Deadline& deadline,
                                      char* buffer, std::size_t size) {
  net::error_code error;
  while (!deadline.passed()) {
    co_await connection.socket().async_wait(net::Connection::Socket::wait_read, net::Await(error));
    if (error) break;
    const ssize_t n = recv(connection.descriptor(), buffer, size, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) co_return std::string_view(buffer, static_cast<std::size_t>(n));
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;  // else a wait that ended for nothing
  }
  co_return std::string_view();
}

// Readable again only when this many bytes have come.
void WakeAt(net::Connection& connection, std::size_t bytes) {
  net::error_code ignored;
  connection.socket().set_option(
      boost::asio::socket_base::receive_low_watermark(static_cast<int>(bytes)), ignored);
}

}  // namespace

void Door::Take(net::Connection::Socket socket) {
  const auto executor = socket.get_executor();
  net::Connection connection(std::move(socket));
  if (connection.Add(parts_.admission.Enter())) {
    return net::Spawn(executor, Receive(std::move(connection)));
  }
  std::string answer = Refuse(http::GatewayFull());
  if (options_.speaks == Speaks::kTls || turning_away_ >= kMaxTurningAway) return;
  ++turning_away_;
  connection.Add({this, [this](void*) { --turning_away_; }});
  net::Spawn(executor, net::SendAndClose(std::move(connection), std::move(answer)));
}

std::string Door::Refuse(const http::Refusal& refusal) {
  const std::string request_id = NewRequestId(UnixMicros());
  parts_.on_refused(refusal, request_id);
  return http::RefusalAnswer(refusal, request_id);
}

net::awaitable<void> Door::Receive(net::Connection connection) {
  const TimePoint until = std::chrono::steady_clock::now() + kHeadTime;
  net::TuneForClient(connection.socket());
  Client client;
  client.ip = client.peer_ip = AddressOf(connection);
  if (client.ip.empty()) co_return;
  absl::Status status;
  bool tls = options_.speaks == Speaks::kTls;
  {
    net::Deadline deadline(connection.socket(), kHeadTime);
    const bool proxied = options_.expects_proxy_header && parts_.trusted.Contains(client.ip);
    if (proxied) status = co_await ReadProxy(connection, deadline, client);
    if (status.ok() && options_.speaks != Speaks::kPlain) {
      const auto first = co_await FirstByte(connection, deadline);
      if (!first) status = absl::UnavailableError("the peer left");
      tls = tls || (first && tls::BeginsTls(*first));
    }
    if (deadline.passed()) status = absl::DeadlineExceededError("too slow");
  }
  if (absl::IsUnavailable(status)) co_return;  // a load balancer's check: nobody is told
  std::optional<http::Refusal> refusal;
  if (!status.ok()) refusal = http::UnreadHead(status);
  // Behind a trusted proxy the client is known when its request head is (front/handshake).
  const bool known = !parts_.trusted.Contains(client.peer_ip);
  if (!refusal && known && !connection.Add(parts_.admission.EnterFrom(client.ip))) {
    refusal = http::GatewayFull();
  }
  if (!refusal && tls) refusal = co_await StartTls(connection, client, until);
  if (refusal) {
    std::string answer = Refuse(*refusal);
    if (!tls) co_await net::SendAndClose(std::move(connection), std::move(answer));
    co_return;
  }
  parts_.on_arrival(Arrival{std::move(connection), std::move(client), until});
}

net::awaitable<absl::Status> Door::ReadProxy(net::Connection& connection,
                                             const net::Deadline& deadline, Client& client) {
  std::array<char, kMaxProxyHeaderBytes> buffer;
  boost::asio::steady_timer pause(connection.socket().get_executor());
  std::size_t seen = 0;
  net::error_code error;
  while (!deadline.passed()) {
    const std::string_view bytes =
        co_await Peek(connection, deadline, buffer.data(), buffer.size());
    if (bytes.empty()) break;
    const auto header = ReadProxyHeader(bytes);
    if (!header.ok()) co_return header.status();
    if (*header) {
      WakeAt(connection, 1);
      connection.Read(buffer.data(), (*header)->size);
      if (!(*header)->client_ip.empty()) client.ip = client.peer_ip = (*header)->client_ip;
      co_return absl::OkStatus();
    }
    WakeAt(connection, bytes.size() + 1);
    if (std::exchange(seen, bytes.size()) < bytes.size()) continue;
    // Nothing new: the peer sends no more, and its end would wake us at once for ever.
    pause.expires_after(kNothingNew);
    co_await pause.async_wait(net::Await(error));
  }
  if (deadline.passed()) co_return absl::DeadlineExceededError("too slow");
  if (seen > 0)
    co_return absl::InvalidArgumentError("the connection ended within its PROXY header");
  co_return absl::UnavailableError("the peer left");
}

net::awaitable<std::optional<char>> Door::FirstByte(net::Connection& connection,
                                                    const net::Deadline& deadline) {
  char first = 0;
  const std::string_view bytes = co_await Peek(connection, deadline, &first, 1);
  if (bytes.empty()) co_return std::nullopt;
  co_return first;
}

net::awaitable<std::optional<http::Refusal>> Door::StartTls(net::Connection& connection,
                                                            Client& client, TimePoint until) {
  const auto left = until - std::chrono::steady_clock::now();
  const absl::Status status = co_await parts_.tls->Accept(connection, left, &client.server_name);
  if (!status.ok()) co_return http::TlsFailed(status.message().data());
  client.proto = "https";
  co_return std::nullopt;
}

}  // namespace wsf::door
