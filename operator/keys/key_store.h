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

/// Keeps the two Secrets filled (K33): `wsf-operator-keys` with both authorities and the claim key,
/// `wsf-gateway-tls` with the gateways' certificate. Looks at them again every hour or more often,
/// rotates what comes to its end, and tells of the keys each time. Both Secrets must exist. Several
/// replicas may do this at once: each write holds only for the version that was read.
///
/// Where cert-manager provides the gateways' authority, it stands in `wsf-operator-keys` as tls.crt
/// and tls.key. That of the relays is always ours: whoever may read pods can read what it signs.
///
/// Threading: confined to the operator's thread.
class KeyStore {
 public:
  KeyStore(boost::asio::io_context& io, kube::Client* client, const std::string& ns,
           const Lives& lives, std::function<void(const Keys&)> on_keys);

  /// Tries until it succeeds; then again every Lives::look().
  void Start() { Load(); }

 private:
  /// What stands in wsf-operator-keys.
  struct Held {
    Authorities relays;
    Authorities gateways;
    std::string claim_key;
  };
  void Load();
  void Again(const std::string& secret, const kube::Response& response);
  void OnOperatorSecret(const kube::Json& secret);
  void LookAtGateways(const Held& held);
  void OnGatewaySecret(const kube::Json& secret, const Held& held);
  void Hold(const Held& held);
  void LoadAfter(std::chrono::seconds pause);

  kube::Client* const client_;
  const Lives lives_;
  const std::string operator_path_;
  const std::string gateway_path_;
  const std::function<void(const Keys&)> on_keys_;
  boost::asio::steady_timer timer_;
};

}  // namespace wsf::keys
