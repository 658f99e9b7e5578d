// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "common/tls/certificate.h"
#include "operator/keys/authorities.h"
#include "operator/keys/lives.h"

namespace wsf::keys {

/// The common names that open the two listeners (contracts.md): a relay's certificate, which user
/// code may come to see, must not open the gateways' port.
inline constexpr char kRelayName[] = "relay";
inline constexpr char kGatewayName[] = "gateway";

/// What one listener shows and takes, and what opens it.
struct PortKeys {
  std::string trusted;   ///< PEM: the authorities whose certificates are taken, by either side
  tls::KeyPair serving;  ///< name wsf-operator
  tls::KeyPair client;   ///< of a relay: given to each; of a gateway: for our look at ourselves
};

/// What the operator shows, gives out and derives claim tokens from. Relays and gateways have
/// authorities of their own: user code may come to see a relay's certificate.
struct Keys {
  PortKeys relays;
  PortKeys gateways;
  std::string claim_key;  ///< survives every restart, so that claim tokens stay valid

  /// The claim token of a pod: never in its spec, the same after an operator restart.
  std::string ClaimToken(const std::string& pod_uid) const {
    return tls::HmacSha256(claim_key, pod_uid);
  }
};

/// Issues what is shown and given out, anew at each call. REQUIRES: neither is empty.
Keys MakeKeys(const Authorities& relays, const Authorities& gateways, const Lives& lives,
              std::string claim_key, std::int64_t now);

/// Whether a gateway's certificate is to be replaced: not ours, or half of its life is over.
bool IsStale(const std::string& certificate, const Authorities& authorities, std::int64_t now);

}  // namespace wsf::keys
