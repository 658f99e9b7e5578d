// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>

namespace wsf::net {

/// When a connection is given up whose other end is there no more, or no way leads to it (A26,
/// faults.md 26, 37). A peer that only is silent answers the probes, which its kernel does.
struct LossTimes {
  std::chrono::seconds idle;      ///< without a byte, then it is probed
  std::chrono::seconds interval;  ///< between two probes
  int probes;                     ///< without an answer
  std::chrono::seconds unsent;    ///< for which sent bytes may stay without an acknowledgement
};

/// Of a client, which may be on a mobile network: 60 s.
inline constexpr LossTimes kLostClient = {std::chrono::seconds(30), std::chrono::seconds(10), 3,
                                          std::chrono::seconds(60)};
/// Between gateway and sidecar, one hop within a cluster: 20 s.
inline constexpr LossTimes kLostInside = {std::chrono::seconds(10), std::chrono::seconds(5), 2,
                                          std::chrono::seconds(20)};

/// A given up connection ends with an error, as one that was reset.
void GiveUpWhenLost(boost::asio::ip::tcp::socket& socket, const LossTimes& times);

}  // namespace wsf::net
