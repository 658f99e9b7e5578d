// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>

#include "common/net/await.h"
#include "operator/control/operator.h"
#include "operator/service/leader.h"

namespace wsf::control {

/// Answers one request on the operator's port for people (contracts.md): `wsf sessions` and
/// `wsf end` reach it through the API server's service proxy. It shows all tenants, so it is closed
/// to pods.
///
///     GET  /sessions?namespace=NS&function=NAME   {"live": [...], "records": [...], "cursor": C}
///                   &after=C                      only the records since that answer
///     POST /sessions/ID/end                       204; 404 no such live session; 503 no answer
///     GET  /healthz                               200
///
/// A page in a browser (it sends an Origin) is refused.
/// `the_operator` and `leader` outlive it.
/// A replica that does not lead passes the request on to the leader's `port`.
net::awaitable<void> ServeSessions(boost::asio::ip::tcp::socket client, Operator* the_operator,
                                   const service::Leader* leader, std::uint16_t port);

}  // namespace wsf::control
