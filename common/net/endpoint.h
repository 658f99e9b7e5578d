// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

namespace wsf::net {

/// Reads `IP:PORT` or `[IPv6]:PORT`; nothing when it is neither.
std::optional<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& text);

}  // namespace wsf::net
