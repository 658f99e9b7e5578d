// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "common/net/await.h"

namespace wsf::net {

/// Cancels what is pending on a socket, or on two, when time is up; whoever starts the next
/// operation asks passed() first, since a completed one may have been on its way just then.
class Deadline {
 public:
  /// `socket` and `other` outlive it.
  Deadline(asio::ip::tcp::socket& socket, std::chrono::steady_clock::duration time,
           asio::ip::tcp::socket* other = nullptr)
      : timer_(socket.get_executor(), time), state_(std::make_shared<State>(State{socket, other})) {
    // A handler that is on its way can not be recalled: it may find the state gone.
    timer_.async_wait([weak = std::weak_ptr<State>(state_)](const error_code& error) {
      const auto state = weak.lock();
      if (error || state == nullptr) return;
      state->passed = true;
      error_code ignored;
      state->socket.cancel(ignored);
      if (state->other != nullptr) state->other->cancel(ignored);
    });
  }
  bool passed() const { return state_->passed; }

 private:
  struct State {
    asio::ip::tcp::socket& socket;
    asio::ip::tcp::socket* other;
    bool passed = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace wsf::net
