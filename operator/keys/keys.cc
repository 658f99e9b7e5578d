// SPDX-License-Identifier: Apache-2.0
#include "operator/keys/keys.h"

#include <utility>

namespace wsf::keys {
namespace {

constexpr char kOperatorName[] = "wsf-operator";

}  // namespace

Keys MakeKeys(const Authorities& authorities, const Lives& lives, std::string claim_key,
              std::int64_t now) {
  const tls::KeyPair& signing = authorities.Signing(now);
  Keys keys;
  keys.trusted = authorities.Trusted();
  keys.serving = tls::Issue(signing, {kOperatorName, kOperatorName, "", lives.own}, now);
  keys.admission = tls::Issue(signing, {kRelayName, "", "", lives.relay}, now);
  keys.gateway = tls::Issue(signing, {kGatewayName, "", "", lives.own}, now);
  keys.claim_key = std::move(claim_key);
  return keys;
}

bool IsStale(const std::string& certificate, const Authorities& authorities, std::int64_t now) {
  const auto validity = tls::ValidityOf(certificate);
  if (!validity.ok()) return true;
  const std::int64_t life = validity->not_after - validity->not_before;
  return now >= validity->not_after - life / 2 ||
         !tls::IsIssuedBy(certificate, authorities.Signing(now).certificate);
}

}  // namespace wsf::keys
