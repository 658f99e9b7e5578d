// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/tls/certificate.h"
#include "operator/keys/authorities.h"

namespace wsf::keys {

/// The common names that open the two listeners (contracts.md): a relay's certificate, which user
/// code may come to see, must not open the gateways' port.
inline constexpr char kRelayName[] = "relay";
inline constexpr char kGatewayName[] = "gateway";

/// How long what is issued holds (operator flags).
struct Lives {
  /// A relay's: longer than an instance lives (warmMaxAgeSeconds, then executionTimeoutSeconds).
  std::chrono::seconds relay = std::chrono::hours(7 * 24);
  /// The operator's and the gateways'.
  std::chrono::seconds own = std::chrono::hours(365 * 24);

  /// How often it is looked whether anything is to be made anew: what is given out has at least
  /// five sixths of its life before it.
  std::chrono::seconds look() const {
    return std::min<std::chrono::seconds>(std::chrono::hours(1), std::min(relay, own) / 6);
  }
};

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
Keys MakeKeys(const Authorities& authorities, const Lives& lives, std::string claim_key,
              std::int64_t now);

/// Whether a gateway's certificate is to be replaced: not ours, or half of its life is over.
bool IsStale(const std::string& certificate, const Authorities& authorities, std::int64_t now);

}  // namespace wsf::keys
