// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/kube/client.h"
#include "operator/keys/keys.h"

namespace wsf::keys {

/// Keeps the two Secrets filled (K33): `wsf-operator-keys` with authorities and claim key,
/// `wsf-gateway-tls` with the gateways' certificate. Looks at them again every hour or more often,
/// rotates what comes to its end, and tells of the keys each time. Both Secrets must exist. Several
/// replicas may do this at once: each write holds only for the version that was read.
///
/// Where cert-manager provides the authority, it stands in `wsf-operator-keys` as tls.crt and
/// tls.key.
///
/// Threading: confined to the operator's thread.
class KeyStore {
 public:
  KeyStore(boost::asio::io_context& io, kube::Client* client, const std::string& ns,
           const Lives& lives, std::function<void(const Keys&)> on_keys);

  /// Tries until it succeeds; then again every Lives::look().
  void Start() { Load(); }

 private:
  void Load();
  void Again(const std::string& secret, const kube::Response& response);
  void OnOperatorSecret(const kube::Json& secret);
  void OnGatewaySecret(const kube::Json& secret, const Authorities& authorities,
                       const std::string& claim_key);
  void Hold(const Authorities& authorities, const std::string& claim_key);
  void LoadAfter(std::chrono::seconds pause);

  kube::Client* const client_;
  const Lives lives_;
  const std::string operator_path_;
  const std::string gateway_path_;
  const std::function<void(const Keys&)> on_keys_;
  boost::asio::steady_timer timer_;
};

}  // namespace wsf::keys
