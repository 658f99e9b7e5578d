// SPDX-License-Identifier: Apache-2.0
#include "common/net/head_reader.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "common/http/head.h"

namespace wsf::net {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(2);

/// Cancels what is pending on a socket when time is up; whoever starts the next operation asks
/// passed() first, since a completed one may have been on its way just then.
class Deadline {
 public:
  Deadline(asio::ip::tcp::socket& socket, std::chrono::milliseconds time)
      : timer_(socket.get_executor(), time), state_(std::make_shared<State>(State{socket})) {
    // A handler that is on its way can not be recalled: it may find the state gone.
    timer_.async_wait([weak = std::weak_ptr<State>(state_)](const error_code& error) {
      const auto state = weak.lock();
      if (error || state == nullptr) return;
      state->passed = true;
      error_code ignored;
      state->socket.cancel(ignored);
    });
  }
  bool passed() const { return state_->passed; }

 private:
  struct State {
    asio::ip::tcp::socket& socket;
    bool passed = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

absl::Status WhyEnded(bool timed_out, bool empty) {
  if (timed_out) return absl::DeadlineExceededError("the request head did not arrive in time");
  if (empty) return absl::UnavailableError("the peer left");
  return absl::InvalidArgumentError("the connection ended within the request head");
}

}  // namespace

awaitable<absl::StatusOr<HeadBytes>> ReadHead(asio::ip::tcp::socket& socket, std::size_t max_bytes,
                                              std::chrono::milliseconds time) {
  std::string bytes;
  Deadline deadline(socket, time);
  std::array<char, 4096> part;
  while (true) {
    error_code error;
    const std::size_t n = co_await socket.async_read_some(asio::buffer(part), Await(error));
    if (error || deadline.passed()) co_return WhyEnded(deadline.passed(), bytes.empty());
    bytes.append(part.data(), n);
    const auto size = http::HeadSize(bytes);
    if (size.value_or(bytes.size()) > max_bytes) {
      co_return absl::ResourceExhaustedError("the request head is too large");
    }
    if (size) co_return HeadBytes{bytes.substr(0, *size), bytes.substr(*size)};
  }
}

awaitable<void> SendAndClose(asio::ip::tcp::socket& socket, std::string text) {
  error_code error;
  Deadline deadline(socket, kLingerTime);
  co_await asio::async_write(socket, asio::buffer(text), Await(error));
  if (!error) socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  std::array<char, 4096> dropped;
  while (!error && !deadline.passed()) {
    co_await socket.async_read_some(asio::buffer(dropped), Await(error));
  }
  socket.close(error);
}

awaitable<void> SendAndCloseOwned(asio::ip::tcp::socket socket, std::string text) {
  co_await SendAndClose(socket, std::move(text));
}

}  // namespace wsf::net
