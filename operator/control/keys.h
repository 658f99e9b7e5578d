// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/kube/client.h"
#include "common/tls/certificate.h"

namespace wsf::control {

/// What the operator keeps in the Secret `wsf-operator-keys`: it survives every restart, so that
/// claim tokens stay valid.
struct Keys {
  tls::KeyPair authority;
  tls::KeyPair serving;    ///< of both gRPC ports, name wsf-operator
  tls::KeyPair admission;  ///< given to every relay; it only opens the TLS layer
  std::string claim_key;

  /// The claim token of a pod: never in its spec, the same after an operator restart.
  std::string ClaimToken(const std::string& pod_uid) const {
    return tls::HmacSha256(claim_key, pod_uid);
  }
};

/// Reads the Secret, fills it when it is empty, and fills `wsf-gateway-tls` with the gateways'
/// client certificate. Both Secrets must exist (K33).
void LoadKeys(kube::Client* client, const std::string& ns,
              std::function<void(absl::StatusOr<Keys>)> done);

}  // namespace wsf::control
