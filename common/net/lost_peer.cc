// SPDX-License-Identifier: Apache-2.0
#include "common/net/lost_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace wsf::net {

void GiveUpWhenLost(boost::asio::ip::tcp::socket& socket, const LossTimes& times) {
  const auto set = [&socket](int level, int name, std::chrono::milliseconds::rep value) {
    const int number = static_cast<int>(value);
    setsockopt(socket.native_handle(), level, name, &number, sizeof number);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, times.idle.count());
  set(IPPROTO_TCP, TCP_KEEPINTVL, times.interval.count());
  set(IPPROTO_TCP, TCP_KEEPCNT, times.probes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, std::chrono::milliseconds(times.unsent).count());
}

}  // namespace wsf::net
