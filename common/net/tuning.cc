// SPDX-License-Identifier: Apache-2.0
#include "common/net/tuning.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

namespace wsf::net {
namespace {

using Socket = boost::asio::ip::tcp::socket;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMaxUnsentBytes = 128 * 1024;
constexpr int kMaxUnreadBytes = 512 * 1024;

struct LossTimes {
  seconds idle;      // without a byte, then it is probed
  seconds interval;  // between two probes
  int probes;        // without an answer
  seconds unsent;    // for which sent bytes may stay without an acknowledgement
};

void Set(Socket& socket, int level, int name, milliseconds::rep value) {
  const int number = static_cast<int>(value);
  setsockopt(socket.native_handle(), level, name, &number, sizeof number);
}

void TuneForAll(Socket& socket) {
  Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kMaxUnsentBytes);
}

void GiveUpWhenLost(Socket& socket, const LossTimes& times) {
  Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, times.idle.count());
  Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, times.interval.count());
  Set(socket, IPPROTO_TCP, TCP_KEEPCNT, times.probes);
  Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds(times.unsent).count());
}

void BoundUnread(Socket& socket) {
  Set(socket, SOL_SOCKET, SO_RCVBUF, kMaxUnreadBytes / 2);  // the kernel doubles it for its needs
}

}  // namespace

void TuneForClient(Socket& socket) {
  TuneForAll(socket);
  GiveUpWhenLost(socket, {seconds(30), seconds(10), 3, seconds(60)});
}

void TuneForInside(Socket& socket) {
  TuneForAll(socket);
  BoundUnread(socket);
  GiveUpWhenLost(socket, {seconds(10), seconds(5), 2, seconds(20)});
}

void TuneForServer(Socket& socket) {
  TuneForAll(socket);
  BoundUnread(socket);
}

}  // namespace wsf::net
