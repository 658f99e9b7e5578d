// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "common/net/await.h"

namespace wsf::net {

/// What a program says of itself on its admin port.
struct AdminPages {
  std::function<std::string()> metrics;  ///< Prometheus' text format
  std::function<bool()> is_healthy;      ///< else it is to be started again
  std::function<bool()> is_ready;        ///< else no new connections are to be sent
};

/// One connection to the admin port: /metrics, /healthz, /readyz. `pages` outlive it.
awaitable<void> ServeAdmin(asio::ip::tcp::socket client, const AdminPages* pages);

}  // namespace wsf::net
