// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/listen_probe.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <optional>

namespace wsf::slot {
namespace {

using boost::asio::ip::address;

// A server that exits closes its connection before its port: ask again after this (contracts.md).
constexpr auto kExitGrace = std::chrono::milliseconds(50);

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

Request MakeRequest(const address& where, std::uint16_t port) {
  Request request;
  std::memset(&request, 0, sizeof request);
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = where.is_v4() ? AF_INET : AF_INET6;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = 1u << TCP_LISTEN;
  request.body.id.idiag_sport = htons(port);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (where.is_v4()) {
    const auto bytes = where.to_v4().to_bytes();
    std::memcpy(request.body.id.idiag_src, bytes.data(), bytes.size());
  } else {
    const auto bytes = where.to_v6().to_bytes();
    std::memcpy(request.body.id.idiag_src, bytes.data(), bytes.size());
  }
  return request;
}

// Nothing: netlink did not answer as it should.
std::optional<bool> AskNetlink(int netlink, const address& where, std::uint16_t port) {
  const Request request = MakeRequest(where, port);
  if (send(netlink, &request, sizeof request, 0) != sizeof request) return std::nullopt;
  alignas(nlmsghdr) char answer[1024];
  const ssize_t n = recv(netlink, answer, sizeof answer, 0);
  if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return std::nullopt;
  nlmsghdr header;
  std::memcpy(&header, answer, sizeof header);
  if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
    inet_diag_msg found;
    std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
    return found.idiag_state == TCP_LISTEN;
  }
  nlmsgerr error;
  if (header.nlmsg_type != NLMSG_ERROR) return std::nullopt;
  std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
  if (error.error == -ENOENT) return false;
  return std::nullopt;
}

bool Dial(const address& where, std::uint16_t port) {
  const boost::asio::ip::tcp::endpoint endpoint(where, port);
  const int descriptor = socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  const bool connected = connect(descriptor, endpoint.data(), endpoint.size()) == 0;
  close(descriptor);
  return connected;
}

}  // namespace

ListenProbe::ListenProbe()
    : netlink_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) {}

ListenProbe::~ListenProbe() {
  if (netlink_ >= 0) close(netlink_);
}

int ListenProbe::Find(const ServerPort& server) {
  for (std::size_t i = 0; i < server.addresses.size(); ++i) {
    if (Listens(server.addresses[i], server.port)) return static_cast<int>(i);
  }
  return -1;
}

bool ListenProbe::Listens(const address& where, std::uint16_t port) {
  if (netlink_ >= 0) {
    if (const auto answer = AskNetlink(netlink_, where, port)) return *answer;
    close(netlink_);
    netlink_ = -1;
  }
  return Dial(where, port);
}

net::awaitable<bool> HasExited(ListenProbe& probe, boost::asio::ip::tcp::endpoint server) {
  ServerPort port;
  port.addresses.push_back(server.address());
  port.port = server.port();
  if (probe.Find(port) < 0) co_return true;
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer grace(executor, kExitGrace);
  net::error_code ignored;
  co_await grace.async_wait(net::Await(ignored));
  co_return probe.Find(port) < 0;
}

}  // namespace wsf::slot
