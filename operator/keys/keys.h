// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "common/tls/certificate.h"
#include "operator/keys/authorities.h"

namespace wsf::keys {

/// The common names that open the two listeners (contracts.md): a relay's certificate, which user
/// code may come to see, must not open the gateways' port.
inline constexpr char kRelayName[] = "relay";
inline constexpr char kGatewayName[] = "gateway";

/// What the operator shows, gives out and derives claim tokens from.
struct Keys {
  std::string trusted;     ///< PEM: the authorities whose certificates are taken
  tls::KeyPair serving;    ///< of both gRPC ports, name wsf-operator
  tls::KeyPair admission;  ///< given to every relay; it only opens the TLS layer
  tls::KeyPair gateway;    ///< for the operator's own look at the gateways' port
  std::string claim_key;   ///< survives every restart, so that claim tokens stay valid

  /// The claim token of a pod: never in its spec, the same after an operator restart.
  std::string ClaimToken(const std::string& pod_uid) const {
    return tls::HmacSha256(claim_key, pod_uid);
  }
};

/// Issues what is shown and given out, anew at each call. REQUIRES: `authorities` is not empty.
Keys MakeKeys(const Authorities& authorities, std::string claim_key, std::int64_t now);

/// Whether a gateway's certificate is to be replaced: not ours, or a third of its life is left.
bool IsStale(const std::string& certificate, const Authorities& authorities, std::int64_t now);

}  // namespace wsf::keys
