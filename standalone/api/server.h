// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/tls/certificate.h"
#include "standalone/api/router.h"
#include "standalone/api/store.h"

namespace wsf::api {

/// The embedded API's listener: TLS only, a client certificate of `authority` demanded, any request
/// with an Origin refused, Host checked (contracts.md, "Two listeners"): whoever reaches this API
/// runs commands.
///
/// Threading: confined to the io_context's one thread.
class Server {
 public:
  Server(boost::asio::io_context& io, const std::string& authority, const tls::KeyPair& own,
         Router* router, Store* store);
  ~Server();

  /// Listens on "ip:port" for as long as the io_context runs; InvalidArgument says why it cannot.
  absl::Status Start(const std::string& address);

 private:
  struct Inside;  // Beast and OpenSSL stay in the .cc
  std::shared_ptr<Inside> inside_;
};

}  // namespace wsf::api
