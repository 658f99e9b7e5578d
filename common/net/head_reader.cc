// SPDX-License-Identifier: Apache-2.0
#include "common/net/head_reader.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
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

awaitable<absl::StatusOr<HeadBytes>> ReadHead(Connection& connection, std::size_t max_bytes,
                                              std::chrono::milliseconds time) {
  std::string bytes;
  Deadline deadline(connection.socket(), time);
  std::array<char, 4096> part;
  while (true) {
    error_code error;
    const std::size_t n = co_await connection.ReadSome(part.data(), part.size(), error);
    if (error || deadline.passed()) co_return WhyEnded(deadline.passed(), bytes.empty());
    bytes.append(part.data(), n);
    const auto size = http::HeadSize(bytes);
    if (size.value_or(bytes.size()) > max_bytes) {
      co_return absl::ResourceExhaustedError("the request head is too large");
    }
    if (size) co_return HeadBytes{bytes.substr(0, *size), bytes.substr(*size)};
  }
}

awaitable<void> SendAndClose(Connection connection, std::string text) {
  error_code error;
  Deadline deadline(connection.socket(), kLingerTime);
  co_await connection.WriteAll(text, error);
  if (!error) connection.Finish();
  std::array<char, 4096> dropped;
  while (!error && !deadline.passed()) {
    co_await connection.ReadSome(dropped.data(), dropped.size(), error);
  }
  connection.Close();
}

}  // namespace wsf::net
