// SPDX-License-Identifier: Apache-2.0
#include "common/kube/kubeconfig.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/spec/yaml.h"

namespace wsf::kube {
namespace {

using Json = nlohmann::json;

constexpr char kServiceAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

Json Named(const Json& list, const std::string& name, const char* what) {
  for (const Json& each : list) {
    if (json::Text(each, "name") == name) return json::Members(each, what);
  }
  return Json::object();
}

std::string DataOrFile(const Json& object, const std::string& name) {
  std::string decoded;
  if (object.contains(name + "-data")) {
    absl::Base64Unescape(json::Text(object, name + "-data"), &decoded);
    return decoded;
  }
  return ReadFile(json::Text(object, name)).value_or("");
}

}  // namespace

absl::StatusOr<Access> ReadKubeconfig(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<Json>> documents = spec::ParseYaml(*text);
  if (!documents.ok() || documents->empty() || !documents->front().is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a kubeconfig"));
  }
  const Json& config = documents->front();
  const Json context =
      Named(json::Items(config, "contexts"), json::Text(config, "current-context"), "context");
  const Json cluster =
      Named(json::Items(config, "clusters"), json::Text(context, "cluster"), "cluster");
  const Json user = Named(json::Items(config, "users"), json::Text(context, "user"), "user");
  Access access;
  access.server = json::Text(cluster, "server");
  access.authority = DataOrFile(cluster, "certificate-authority");
  access.client_certificate = DataOrFile(user, "client-certificate");
  access.client_key = DataOrFile(user, "client-key");
  access.token_file = json::Text(user, "tokenFile");
  access.token = json::Text(user, "token");
  if (access.server.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " names no server in its current context"));
  }
  return access;
}

absl::StatusOr<Access> InClusterAccess() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return absl::NotFoundError("not in a cluster and no --kubeconfig given");
  }
  Access access;
  access.server = absl::StrCat("https://", host, ":", port);
  access.authority = ReadFile(absl::StrCat(kServiceAccount, "ca.crt")).value_or("");
  access.token_file = absl::StrCat(kServiceAccount, "token");
  return access;
}

}  // namespace wsf::kube
