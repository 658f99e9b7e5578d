// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace wsf::net {

/// What is asked of the kernel for a connection, by where its other end is:
///
/// - Small writes go out at once.
/// - It is given up when its other end is there no more, or no way leads to it (A26, faults.md 26,
///   37); it ends as one that was reset. A peer that only is silent answers the kernel's probes.
/// - What a slow reader does not take stays with who sends it (I8), and not in a control group's
///   memory: 128 KiB may wait to be sent, beside what is on its way.

/// A client, which may be far away or on a mobile network: lost after 60 s.
void TuneForClient(boost::asio::ip::tcp::socket& socket);

/// Between gateway and sidecar, one hop within a cluster: lost after 20 s. 512 KiB may wait to be
/// read, which at 1 ms are 4 Gbit/s; else the kernel goes up to 6 MiB for a fast reader, and stays
/// there when it stalls.
void TuneForInside(boost::asio::ip::tcp::socket& socket);

/// Between sidecar and server, on one machine.
void TuneForServer(boost::asio::ip::tcp::socket& socket);

}  // namespace wsf::net
