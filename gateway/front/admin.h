// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "common/net/await.h"
#include "common/observe/metrics.h"
#include "gateway/front/broker.h"

namespace wsf::front {

/// One connection to the admin port: /metrics, /healthz, /readyz.
net::awaitable<void> ServeAdmin(boost::asio::ip::tcp::socket client,
                                const observe::Metrics& metrics, const Broker& broker);

}  // namespace wsf::front
