// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/net/connection.h"
#include "common/tls/certificate.h"

namespace wsf::tls {

/// The server's end of TLS where each client must show a certificate of our authority that names
/// `client_name`: who has none never gets past TLS (contracts.md, two listeners). ALPN h2.
///
/// Threading: confined to the io_context's thread.
class MutualServer {
 public:
  explicit MutualServer(std::string client_name);
  ~MutualServer();

  /// `authorities` is one or more PEM certificates: while one authority follows another, clients of
  /// both are let in. Live connections keep what they began with. InvalidArgument: not PEM.
  absl::Status Use(const std::string& authorities, const KeyPair& own);

  /// The handshake on a fresh connection, then puts TLS under it.
  net::awaitable<absl::Status> Accept(net::Connection& connection,
                                      std::chrono::steady_clock::duration time);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace wsf::tls
