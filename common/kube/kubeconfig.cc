// SPDX-License-Identifier: Apache-2.0
#include "common/kube/kubeconfig.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/spec/yaml.h"

namespace wsf::kube {
namespace {

using Json = nlohmann::json;

constexpr char kServiceAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

Json Named(const Json& list, const std::string& name, const char* what) {
  for (const Json& each : list) {
    if (json::Text(each, "name") == name) return json::Members(each, what);
  }
  return Json::object();
}

// Reads one kubeconfig; what is wrong with it is in `error`, the first thing.
class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), folder_(std::filesystem::path(path).parent_path()) {}

  Access Read(const Json& config) {
    const std::string current = json::Text(config, "current-context");
    const Json context = Named(json::Items(config, "contexts"), current, "context");
    const Json cluster =
        Named(json::Items(config, "clusters"), json::Text(context, "cluster"), "cluster");
    const Json user = Named(json::Items(config, "users"), json::Text(context, "user"), "user");
    Access access;
    access.server = json::Text(cluster, "server");
    if (access.server.empty()) {
      Complain(current.empty() ? "names no current-context"
                               : "names no server in its current-context " + current);
    }
    if (!absl::StartsWith(access.server, "https://") &&
        !absl::StartsWith(access.server, "http://")) {
      Complain("names its server without https://");
    }
    if (absl::StrContains(access.server, "://[")) {
      Complain("names its server by an IPv6 address, which cannot be dialled: name its host");
    }
    access.server_name = json::Text(cluster, "tls-server-name");
    access.insecure = json::Flag(cluster, "insecure-skip-tls-verify");
    access.authority = DataOrFile(cluster, "certificate-authority");
    access.client_certificate = DataOrFile(user, "client-certificate");
    access.client_key = DataOrFile(user, "client-key");
    access.token = {json::Text(user, "token"), Existing(json::Text(user, "tokenFile"))};
    if (!access.token.data.empty()) access.token.file.clear();
    if (user.contains("exec")) access.exec = ReadExec(json::Members(user, "exec"), cluster);
    if (user.contains("auth-provider")) {
      Complain("asks for an auth-provider, which Kubernetes has given up; use exec");
    }
    return access;
  }

  const std::string& error() const { return error_; }

 private:
  void Complain(const std::string& what) {
    if (error_.empty()) error_ = absl::StrCat(path_, " ", what);
  }

  std::string Absolute(const std::string& file) const {
    return (folder_ / file).lexically_normal().string();  // an absolute one stays as it is
  }

  std::string Existing(const std::string& file) {
    if (file.empty()) return "";
    const std::string absolute = Absolute(file);
    if (!ReadFile(absolute).ok()) {
      Complain(absl::StrCat("names ", absolute, ", which cannot be read"));
    }
    return absolute;
  }

  Source DataOrFile(const Json& object, const std::string& name) {
    const std::string data = name + "-data";
    if (json::Text(object, data).empty()) return {"", Existing(json::Text(object, name))};
    Source source;
    if (!absl::Base64Unescape(json::Text(object, data), &source.data)) {
      Complain(data + " is not base64");
    }
    return source;
  }

  ExecPlugin ReadExec(const Json& exec, const Json& cluster) {
    ExecPlugin plugin;
    plugin.api_version = json::Text(exec, "apiVersion");
    plugin.command = json::Text(exec, "command");
    plugin.args = json::Texts(exec, "args");
    plugin.install_hint = json::Text(exec, "installHint");
    for (const Json& each : json::Items(exec, "env")) {
      plugin.env[json::Text(each, "name")] = json::Text(each, "value");
    }
    if (plugin.command.empty()) Complain("has an exec without a command");
    // As kubectl: a name is looked up in $PATH, a path from the file's folder.
    if (absl::StrContains(plugin.command, '/')) plugin.command = Absolute(plugin.command);
    if (json::Text(exec, "interactiveMode") == "Always") {
      Complain(absl::StrCat("has an exec, ", plugin.command, ", that needs a terminal"));
    }
    if (json::Flag(exec, "provideClusterInfo")) plugin.cluster = ClusterInfo(cluster).dump();
    return plugin;
  }

  // As ExecCredential has it: the authority itself, wherever it is, and what is meant for plugins.
  Json ClusterInfo(const Json& cluster) {
    Json info = json::AsMembers(cluster);
    const Source authority = DataOrFile(cluster, "certificate-authority");
    const std::string pem =
        authority.file.empty() ? authority.data : ReadFile(authority.file).value_or("");
    info.erase("certificate-authority");
    info["certificate-authority-data"] = absl::Base64Escape(pem);
    info["config"] =
        Named(json::Items(cluster, "extensions"), "client.authentication.k8s.io/exec", "extension");
    info.erase("extensions");
    return info;
  }

  const std::string path_;
  const std::filesystem::path folder_;
  std::string error_;
};

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  std::ifstream file(path);
  // A folder can be opened, and throws when it is read.
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

absl::StatusOr<Access> ReadKubeconfig(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<Json>> documents = spec::ParseYaml(*text);
  if (!documents.ok() || documents->empty() || !documents->front().is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a kubeconfig"));
  }
  Reader reader(path);
  Access access = reader.Read(documents->front());
  if (!reader.error().empty()) return absl::InvalidArgumentError(reader.error());
  return access;
}

absl::StatusOr<Access> InClusterAccess() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return absl::NotFoundError("not in a cluster and no --kubeconfig given");
  }
  Access access;
  // cpprestsdk dials no IPv6 address; by this name an API server is known in every cluster.
  const char* const name = absl::StrContains(host, ':') ? "kubernetes.default.svc" : host;
  access.server = absl::StrCat("https://", name, ":", port);
  access.authority.file = absl::StrCat(kServiceAccount, "ca.crt");
  access.token.file = absl::StrCat(kServiceAccount, "token");
  return access;
}

}  // namespace wsf::kube
