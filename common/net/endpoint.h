// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

namespace wsf::net {

/// Reads `IP:PORT` or `[IPv6]:PORT`; nothing when it is neither.
std::optional<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& text);

/// An address in its one form: IPv4 where IPv6 only maps it, since a listener on [::] sees those.
boost::asio::ip::address PlainAddress(const boost::asio::ip::address& address);

}  // namespace wsf::net
