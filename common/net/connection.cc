// SPDX-License-Identifier: Apache-2.0
#include "common/net/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace wsf::net {
namespace {

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

ssize_t Connection::Read(char* buffer, std::size_t size) {
  if (!socket_.is_open()) return 0;
  if (layer_ != nullptr) return layer_->Read(buffer, size);
  const ssize_t n = recv(descriptor(), buffer, size, MSG_DONTWAIT);
  if (n >= 0) return n;
  return WouldBlock() ? -1 : 0;
}

ssize_t Connection::Write(std::string_view bytes) {
  if (!socket_.is_open()) return -1;
  if (layer_ != nullptr) return layer_->Write(bytes);
  const ssize_t n = send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return n;
  return WouldBlock() ? 0 : -1;
}

void Connection::Finish() {
  if (!socket_.is_open()) return;
  if (layer_ != nullptr) layer_->Finish();
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Connection::Close() {
  error_code ignored;
  socket_.close(ignored);
}

std::size_t Connection::Ask(unsigned long request) {
  int bytes = 0;
  if (!socket_.is_open() || ioctl(descriptor(), request, &bytes) != 0) return 0;
  return static_cast<std::size_t>(bytes);
}

std::size_t Connection::Unacknowledged() { return Ask(SIOCOUTQ); }

std::size_t Connection::Waiting() { return Ask(SIOCOUTQNSD); }

awaitable<std::size_t> Connection::ReadSome(char* buffer, std::size_t size, error_code& error) {
  while (true) {
    // Waiting first keeps connections in the order in which their bytes came.
    if (!pending()) co_await socket_.async_wait(Socket::wait_read, Await(error));
    if (error) co_return 0;
    const ssize_t n = Read(buffer, size);
    if (n > 0) co_return static_cast<std::size_t>(n);
    if (n == 0) {
      error = asio::error::eof;
      co_return 0;
    }
  }
}

awaitable<void> Connection::WriteAll(std::string_view bytes, error_code& error) {
  while (!bytes.empty()) {
    const ssize_t n = Write(bytes);
    if (n < 0) {
      error = asio::error::broken_pipe;
      co_return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    if (bytes.empty()) co_return;
    co_await socket_.async_wait(Socket::wait_write, Await(error));
    if (error) co_return;
  }
}

}  // namespace wsf::net
