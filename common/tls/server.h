// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/net/connection.h"
#include "common/tls/certificate.h"

namespace wsf::tls {

/// The files of one certificate, PEM: the chain with the leaf first, and its key.
struct CertificateFiles {
  std::string chain;
  std::string key;
};

/// The server's end of TLS for any number of connections: TLS 1.2 or newer, ALPN http/1.1 only, no
/// renegotiation (faults.md S23). The certificate is chosen by the name the client asks for, the
/// first one where none fits.
///
/// Threading: confined to the io_context's thread.
class Server {
 public:
  explicit Server(std::vector<CertificateFiles> files);
  /// One certificate that is in no file. REQUIRES: it is one, with its key.
  explicit Server(const KeyPair& own);
  ~Server();

  /// Loads the files if they have changed since. What is wrong with them is returned, and what was
  /// loaded before stays in use; live connections keep what they began with (faults.md 47).
  absl::Status Load();

  /// The handshake on a fresh connection, then puts TLS under it. `*server_name` is the name that
  /// the client asked for, "" without one. An error was told to the client as a TLS alert (H24).
  net::awaitable<absl::Status> Accept(net::Connection& connection,
                                      std::chrono::steady_clock::duration time,
                                      std::string* server_name);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

/// Whether `first_byte` of a connection begins a TLS handshake; no HTTP request does.
inline bool BeginsTls(char first_byte) { return first_byte == 0x16; }

}  // namespace wsf::tls
