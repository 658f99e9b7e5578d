// SPDX-License-Identifier: Apache-2.0
#include "operator/keys/keys.h"

#include <utility>

namespace wsf::keys {
namespace {

constexpr char kOperatorName[] = "wsf-operator";

PortKeys MakePortKeys(const Authorities& authorities, const Lives& lives, const char* client,
                      std::chrono::seconds client_life, std::int64_t now) {
  const tls::KeyPair& signing = authorities.Signing(now);
  PortKeys keys;
  keys.trusted = authorities.Trusted();
  keys.serving = tls::Issue(signing, {kOperatorName, kOperatorName, "", lives.own}, now);
  keys.client = tls::Issue(signing, {client, "", "", client_life}, now);
  return keys;
}

}  // namespace

Keys MakeKeys(const Authorities& relays, const Authorities& gateways, const Lives& lives,
              std::string claim_key, std::int64_t now) {
  return {MakePortKeys(relays, lives, kRelayName, lives.relay, now),
          MakePortKeys(gateways, lives, kGatewayName, lives.own, now), std::move(claim_key)};
}

bool IsStale(const std::string& certificate, const Authorities& authorities, std::int64_t now) {
  const auto validity = tls::ValidityOf(certificate);
  if (!validity.ok()) return true;
  const std::int64_t life = validity->not_after - validity->not_before;
  return now >= validity->not_after - life / 2 ||
         !tls::IsIssuedBy(certificate, authorities.Signing(now).certificate);
}

}  // namespace wsf::keys
