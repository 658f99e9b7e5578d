// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace wsf::kube {

/// Where the API is and who we are.
struct Access {
  std::string server;              ///< https://host:port
  std::string authority;           ///< PEM
  std::string client_certificate;  ///< PEM, or ""
  std::string client_key;          ///< PEM, or ""
  std::string token_file;          ///< read for each request, or ""
  std::string token;               ///< used where there is no token_file, or ""
};

/// The current context of a kubeconfig file; certificates given as data or as files.
absl::StatusOr<Access> ReadKubeconfig(const std::string& path);

/// A pod's service account.
absl::StatusOr<Access> InClusterAccess();

}  // namespace wsf::kube
