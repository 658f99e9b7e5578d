// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/net/connection.h"
#include "common/tls/certificate.h"

// What the servers of this folder share; not for other folders.
namespace wsf::tls {

struct ContextFreer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFreer>;

struct SessionFreer {
  void operator()(SSL* session) const { SSL_free(session); }
};
using Session = std::unique_ptr<SSL, SessionFreer>;

/// OpenSSL's reason for the last failure, and forgets it.
std::string LastError();

using Infos = std::unique_ptr<STACK_OF(X509_INFO), void (*)(STACK_OF(X509_INFO)*)>;

/// All certificates and keys in `pem`; may be nullptr.
Infos ReadInfos(const std::string& pem);

/// Shows `own` to clients; InvalidArgument where it is no certificate with its key.
absl::Status Show(SSL_CTX* context, const KeyPair& own);

/// TLS 1.2 or newer, no renegotiation, no compression, tickets only; no certificate yet.
Context NewServerContext();

/// The server's handshake within `time`, then puts TLS under the connection. `look` sees the
/// session when it is done.
net::awaitable<absl::Status> AcceptSession(Session session, net::Connection& connection,
                                           std::chrono::steady_clock::duration time,
                                           std::function<void(SSL*)> look);

}  // namespace wsf::tls
