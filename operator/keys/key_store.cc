// SPDX-License-Identifier: Apache-2.0
#include "operator/keys/key_store.h"

#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "common/observe/log.h"

namespace wsf::keys {
namespace {

using kube::Json;

constexpr auto kRetry = std::chrono::seconds(1);
constexpr int kClaimKeyBytes = 32;
constexpr char kRelayAuthorities[] = "relay-authorities.pem";
constexpr char kGatewayAuthorities[] = "gateway-authorities.pem";
constexpr char kClaimKey[] = "claim.key";

std::string Decoded(const Json& secret, const char* name) {
  std::string text;
  absl::Base64Unescape(json::Text(secret, "data", name), &text);
  return text;
}

// Keeps the version that was read: only the first of two writes on it wins.
Json With(Json secret, const std::map<std::string, std::string>& values) {
  Json& data = secret["data"];
  if (!data.is_object()) data = Json::object();
  for (const auto& [name, value] : values) data[name] = absl::Base64Escape(value);
  return secret;
}

// What a proxy between us and the API may answer is none.
bool IsSecret(const kube::Response& response) { return response.ok() && response.body.is_object(); }

std::string SecretPath(const std::string& ns, const char* name) {
  return absl::StrCat("/api/v1/namespaces/", ns, "/secrets/", name);
}

}  // namespace

KeyStore::KeyStore(boost::asio::io_context& io, kube::Client* client, const std::string& ns,
                   const Lives& lives, std::function<void(const Keys&)> on_keys)
    : client_(client),
      lives_(lives),
      operator_path_(SecretPath(ns, "wsf-operator-keys")),
      gateway_path_(SecretPath(ns, "wsf-gateway-tls")),
      on_keys_(std::move(on_keys)),
      timer_(io) {}

void KeyStore::LoadAfter(std::chrono::seconds pause) {
  timer_.expires_after(pause);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Load();
  });
}

// The API may not be up yet, and the chart's Secrets may come a moment later.
void KeyStore::Again(const std::string& secret, const kube::Response& response) {
  if (response.status != 409) {
    observe::Log(observe::Level::kWarning, "waiting for the keys",
                 {{"secret", secret}, {"error", response.ok() ? "no Secret" : response.Message()}});
  }
  LoadAfter(kRetry);
}

void KeyStore::Load() {
  client_->Get(operator_path_, [this](const kube::Response& response) {
    if (!IsSecret(response)) return Again(operator_path_, response);
    OnOperatorSecret(response.body);
  });
}

void KeyStore::OnOperatorSecret(const Json& secret) {
  Held held = {Authorities::Parse(Decoded(secret, kRelayAuthorities), lives_),
               Authorities::Parse(Decoded(secret, kGatewayAuthorities), lives_),
               Decoded(secret, kClaimKey)};
  const std::size_t stored = held.gateways.size();
  const tls::KeyPair provided = {Decoded(secret, "tls.crt"), Decoded(secret, "tls.key")};
  if (!provided.key.empty() && !held.gateways.Add(provided)) {
    observe::Log(observe::Level::kError, "authority not taken",
                 {{"secret", operator_path_},
                  {"error", "tls.crt and tls.key must be a certificate and its key, in PEM"}});
  }
  bool changed = held.claim_key.empty() || held.gateways.size() != stored;
  if (held.claim_key.empty()) held.claim_key = RandomBytes(kClaimKeyBytes);
  changed |= held.relays.Rotate(UnixMicros());
  changed |= held.gateways.Rotate(UnixMicros());
  if (!changed) return LookAtGateways(held);
  client_->Update(operator_path_,
                  With(secret, {{kRelayAuthorities, held.relays.Pem()},
                                {kGatewayAuthorities, held.gateways.Pem()},
                                {kClaimKey, held.claim_key}}),
                  [this, held](const kube::Response& response) {
                    if (!response.ok()) return Again(operator_path_, response);
                    LookAtGateways(held);
                  });
}

void KeyStore::LookAtGateways(const Held& held) {
  client_->Get(gateway_path_, [this, held](const kube::Response& response) {
    if (!IsSecret(response)) return Again(gateway_path_, response);
    OnGatewaySecret(response.body, held);
  });
}

void KeyStore::OnGatewaySecret(const Json& secret, const Held& held) {
  const std::string trusted = held.gateways.Trusted();
  const std::int64_t now = UnixMicros();
  const bool stale = IsStale(Decoded(secret, "tls.crt"), held.gateways, now);
  if (!stale && Decoded(secret, "ca.crt") == trusted) return Hold(held);
  const tls::KeyPair gateway =
      tls::Issue(held.gateways.Signing(now), {kGatewayName, "", "", lives_.own}, now);
  const std::map<std::string, std::string> values = {
      {"ca.crt", trusted}, {"tls.crt", gateway.certificate}, {"tls.key", gateway.key}};
  client_->Update(gateway_path_, With(secret, values),
                  [this, held](const kube::Response& response) {
                    if (!response.ok()) return Again(gateway_path_, response);
                    Hold(held);
                  });
}

void KeyStore::Hold(const Held& held) {
  on_keys_(MakeKeys(held.relays, held.gateways, lives_, held.claim_key, UnixMicros()));
  LoadAfter(lives_.look());
}

}  // namespace wsf::keys
