// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <exception>
#include <utility>

namespace wsf::net {

namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;

/// The completion token of `co_await operation(..., Await(error))`: errors are values here.
inline auto Await(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

/// Runs a coroutine to its end beside the others of `executor`. An exception that leaves it is a
/// defect and ends the process.
template <typename Executor>
void Spawn(const Executor& executor, awaitable<void> work) {
  asio::co_spawn(executor, std::move(work), [](std::exception_ptr error) {
    if (error) std::terminate();
  });
}

}  // namespace wsf::net
