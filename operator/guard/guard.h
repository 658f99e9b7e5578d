// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/base/time.h"
#include "common/net/admission.h"
#include "common/net/listener.h"
#include "common/tls/mutual_server.h"

namespace wsf::guard {

/// The accept loop before one gRPC server (contracts.md, "Two listeners of the operator"): counts
/// connections, ends TLS, checks the client's certificate, and only then hands the plain bytes to
/// gRPC over a socket pair. gRPC 1.51 by itself stops accepting for ever when descriptors have run
/// out, and lets a peer without a certificate cost gigabytes.
///
/// Threading: confined to its io_context's thread, which nothing else should keep busy; Use and
/// refused may be called from any thread. Outlives its connections.
class Guard {
 public:
  struct Options {
    std::string client_name;              ///< common name of the certificates that open it
    net::Admission::Limits limits;        ///< in all: of those with a certificate; per address
    Duration lifetime = Duration::max();  ///< after which a connection is cut
  };
  /// Takes over a connected descriptor of a socket pair.
  using Take = std::function<void(int descriptor)>;

  Guard(boost::asio::io_context& io, Options options, Take take);

  /// New handshakes are made with these from here on.
  void Use(const std::string& authorities, const tls::KeyPair& own);
  void Serve(net::Acceptor acceptor);
  /// Connections that were turned away or cut since the start.
  struct Refused {
    std::size_t full = 0;         ///< more than its limits allow
    std::size_t certificate = 0;  ///< none of ours was shown in time
    std::size_t frames = 0;       ///< more was asked of gRPC than FrameBudget allows
  };
  Refused refused() const { return {full_, certificate_, frames_}; }

 private:
  using Inner = boost::asio::local::stream_protocol::socket;
  struct Bridge;
  net::awaitable<void> Open(net::Connection client);
  net::awaitable<bool> Introduce(net::Connection& client);
  net::awaitable<void> PumpIn(std::shared_ptr<Bridge> bridge);
  net::awaitable<void> PumpOut(std::shared_ptr<Bridge> bridge);

  boost::asio::io_context& io_;
  const Options options_;
  const Take take_;
  net::Admission admission_;                           // of those with a certificate
  net::Admission sources_;                             // of all
  std::map<std::uint64_t, net::Connection*> unknown_;  // in their TLS handshake, by arrival
  std::uint64_t arrivals_ = 0;
  tls::MutualServer tls_;
  std::atomic<std::size_t> full_ = 0;
  std::atomic<std::size_t> certificate_ = 0;
  std::atomic<std::size_t> frames_ = 0;
};

}  // namespace wsf::guard
