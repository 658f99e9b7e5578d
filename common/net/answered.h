// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "common/net/await.h"

namespace wsf::net {

/// What a callback brings, awaited. Shared with the callback: whichever of the two is later may
/// come after the other has gone.
///
/// Threading: confined to the executor's thread. One waits.
template <typename T>
class Answered {
 public:
  explicit Answered(const asio::any_io_executor& executor)
      : set_(executor, asio::steady_timer::time_point::max()) {}

  /// Once.
  void Set(T value) {
    value_ = std::move(value);
    set_.cancel();
  }
  awaitable<T> Get() {
    error_code ignored;
    if (!value_) co_await set_.async_wait(Await(ignored));
    co_return *std::move(value_);
  }

 private:
  asio::steady_timer set_;
  std::optional<T> value_;
};

}  // namespace wsf::net
