// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/net/await.h"

namespace wsf::net {

using Acceptor = asio::ip::tcp::acceptor;

/// Listens on "ip:port"; [::] listens on both families. InvalidArgument says what to do.
absl::StatusOr<Acceptor> Listen(asio::io_context& io, const std::string& address);

/// Accepts for ever and hands each connection to `take`. Out of descriptors it gives up a reserve,
/// hangs up on whoever waits, and goes on: a full process says so instead of leaving its clients in
/// the dark, and never spins (faults.md 42).
awaitable<void> AcceptAll(Acceptor acceptor, std::function<void(asio::ip::tcp::socket)> take);

}  // namespace wsf::net
