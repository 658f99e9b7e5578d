// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>

#include "common/net/await.h"
#include "common/observe/metrics.h"

namespace wsf::front {

/// One connection to the admin port: /metrics, /healthz, /readyz.
net::awaitable<void> ServeAdmin(boost::asio::ip::tcp::socket client,
                                const observe::Metrics& metrics, std::function<bool()> is_ready);

}  // namespace wsf::front
