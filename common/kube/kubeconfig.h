// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace wsf::kube {

/// A certificate, key or token: given as it is, or in a file that others may replace. Both "" =
/// none.
struct Source {
  std::string data;
  std::string file;
};

/// A program that makes credentials (client.authentication.k8s.io).
struct ExecPlugin {
  std::string api_version;
  std::string command;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;  ///< beside ours
  std::string install_hint;
  std::string cluster;  ///< JSON that it is told, or ""
};

/// Where the API is and who we are.
struct Access {
  std::string server;       ///< https://host:port
  std::string server_name;  ///< that its certificate bears, where it is not the host's
  bool insecure = false;    ///< its certificate is not checked
  Source authority;
  Source client_certificate;
  Source client_key;
  Source token;
  std::optional<ExecPlugin> exec;
  std::map<std::string, std::string> headers;  ///< sent with each request
};

/// The current context of a kubeconfig file; relative paths are looked up from its folder. An error
/// names what is missing, cannot be read or is not served.
absl::StatusOr<Access> ReadKubeconfig(const std::string& path);

/// A pod's service account.
absl::StatusOr<Access> InClusterAccess();

absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace wsf::kube
