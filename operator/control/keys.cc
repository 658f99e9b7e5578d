// SPDX-License-Identifier: Apache-2.0
#include "operator/control/keys.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/rpc/credentials.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr int kServingDays = 365;
constexpr int kAdmissionDays = 7;
constexpr int kGatewayDays = 365;

std::string Decoded(const Json& data, const char* name) {
  std::string text;
  if (data.contains(name)) absl::Base64Unescape(data.value(name, ""), &text);
  return text;
}

Json Encoded(const std::map<std::string, std::string>& values) {
  Json data = Json::object();
  for (const auto& [name, value] : values) data[name] = absl::Base64Escape(value);
  return {{"data", data}};
}

std::string SecretPath(const std::string& ns, const char* name) {
  return absl::StrCat("/api/v1/namespaces/", ns, "/secrets/", name);
}

// From the stored authority and claim key; the certificates are made anew at every start.
Keys MakeKeys(tls::KeyPair authority, std::string claim_key) {
  Keys keys;
  keys.authority = std::move(authority);
  keys.claim_key = std::move(claim_key);
  keys.serving =
      tls::Issue(keys.authority, {rpc::kOperatorName, rpc::kOperatorName, "", kServingDays});
  keys.admission = tls::Issue(keys.authority, {"relay", "", "", kAdmissionDays});
  return keys;
}

void FillGatewaySecret(kube::Client* client, const std::string& ns, const Keys& keys,
                       std::function<void(absl::StatusOr<Keys>)> done) {
  const tls::KeyPair gateway = tls::Issue(keys.authority, {"gateway", "", "", kGatewayDays});
  const Json patch = Encoded({{"ca.crt", keys.authority.certificate},
                              {"tls.crt", gateway.certificate},
                              {"tls.key", gateway.key}});
  client->Apply(SecretPath(ns, "wsf-gateway-tls"), kube::Patch::kMerge, patch,
                [keys, done](const kube::Response& response) {
                  if (response.ok()) return done(keys);
                  done(absl::UnavailableError("Secret wsf-gateway-tls: " + response.Message()));
                });
}

}  // namespace

void LoadKeys(kube::Client* client, const std::string& ns,
              std::function<void(absl::StatusOr<Keys>)> done) {
  const std::string path = SecretPath(ns, "wsf-operator-keys");
  client->Get(path, [client, ns, path, done](const kube::Response& response) {
    if (!response.ok()) {
      return done(absl::UnavailableError("Secret wsf-operator-keys: " + response.Message()));
    }
    const Json data = response.body.value("data", Json::object());
    const tls::KeyPair stored = {Decoded(data, "ca.crt"), Decoded(data, "ca.key")};
    const std::string claim_key = Decoded(data, "claim.key");
    if (!stored.key.empty() && !claim_key.empty()) {
      return FillGatewaySecret(client, ns, MakeKeys(stored, claim_key), done);
    }
    const Keys keys = MakeKeys(tls::MakeAuthority("wsf internal CA"), RandomBytes(32));
    Json filled = Encoded({{"ca.crt", keys.authority.certificate},
                           {"ca.key", keys.authority.key},
                           {"claim.key", keys.claim_key}});
    // Two operators that start at once must agree: only the first write may win.
    filled["metadata"] = {{"resourceVersion", response.body["metadata"]["resourceVersion"]}};
    client->Apply(path, kube::Patch::kMerge, filled,
                  [client, ns, keys, done](const kube::Response& written) {
                    if (written.ok()) return FillGatewaySecret(client, ns, keys, done);
                    if (written.status == 409) return LoadKeys(client, ns, done);
                    done(absl::UnavailableError("Secret wsf-operator-keys: " + written.Message()));
                  });
  });
}

}  // namespace wsf::control
