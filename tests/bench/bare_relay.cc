// SPDX-License-Identifier: Apache-2.0
//
// The yardstick: the plainest epoll loop that copies bytes both ways, as small as it can be. Sees
// no frame, checks nothing, keeps what a socket does not take.
//   wsf-bare-relay LISTEN_PORT SERVER_PORT

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct End {
  int socket = -1;
  End* other = nullptr;
  std::string queued;  // towards this end
};

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void Watch(int epoll, int operation, End* end, std::uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.ptr = end;
  epoll_ctl(epoll, operation, end->socket, &event);
}

void Prepare(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(socket, F_SETFL, O_NONBLOCK);
}

void Drop(End* end) {
  close(end->socket);
  close(end->other->socket);
  delete end->other;
  delete end;
}

// Returns false when the pair is gone.
bool Copy(int epoll, End* from, char* buffer, std::size_t size) {
  const ssize_t n = recv(from->socket, buffer, size, 0);
  if (n <= 0) {
    Drop(from);
    return false;
  }
  End* const to = from->other;
  const ssize_t sent = send(to->socket, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL);
  const auto done = static_cast<std::size_t>(sent < 0 ? 0 : sent);
  if (done < static_cast<std::size_t>(n)) {
    to->queued.assign(buffer + done, static_cast<std::size_t>(n) - done);
    Watch(epoll, EPOLL_CTL_MOD, from, 0);
    Watch(epoll, EPOLL_CTL_MOD, to, EPOLLIN | EPOLLOUT);
  }
  return true;
}

void Flush(int epoll, End* to) {
  const ssize_t sent = send(to->socket, to->queued.data(), to->queued.size(), MSG_NOSIGNAL);
  if (sent > 0) to->queued.erase(0, static_cast<std::size_t>(sent));
  if (!to->queued.empty()) return;
  Watch(epoll, EPOLL_CTL_MOD, to, EPOLLIN);
  Watch(epoll, EPOLL_CTL_MOD, to->other, EPOLLIN);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: wsf-bare-relay LISTEN_PORT SERVER_PORT\n", stderr);
    return 2;
  }
  const int epoll = epoll_create1(0);
  End door;
  door.socket = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(door.socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in own = Loopback(std::atoi(argv[1]));
  const sockaddr_in server = Loopback(std::atoi(argv[2]));
  if (bind(door.socket, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      listen(door.socket, 1024) != 0) {
    std::perror("wsf-bare-relay");
    return 2;
  }
  Watch(epoll, EPOLL_CTL_ADD, &door, EPOLLIN);
  std::vector<char> buffer(64 * 1024);
  while (true) {
    epoll_event event;
    if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
    End* const end = static_cast<End*>(event.data.ptr);
    if (end == &door) {
      auto* const client = new End;
      auto* const peer = new End;
      client->socket = accept(door.socket, nullptr, nullptr);
      peer->socket = socket(AF_INET, SOCK_STREAM, 0);
      client->other = peer;
      peer->other = client;
      if (connect(peer->socket, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
        Drop(client);
        continue;
      }
      Prepare(client->socket);
      Prepare(peer->socket);
      Watch(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
      Watch(epoll, EPOLL_CTL_ADD, peer, EPOLLIN);
      continue;
    }
    if ((event.events & EPOLLOUT) != 0) Flush(epoll, end);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      Copy(epoll, end, buffer.data(), buffer.size());
    }
  }
}
