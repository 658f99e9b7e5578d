// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/kube/kubeconfig.h"

namespace wsf::kube {

/// What a plugin has made.
struct ExecCredential {
  std::string token;
  std::string client_certificate;  ///< PEM
  std::string client_key;          ///< PEM
  std::int64_t expires = 0;        ///< Unix microseconds; 0 = not told
};

/// Runs the plugin and waits for it, at most `limit`; nothing is asked of a person, and what it
/// says of itself goes to our standard error. An error says how it ended, and the kubeconfig's
/// hint.
absl::StatusOr<ExecCredential> RunPlugin(const ExecPlugin& plugin, std::chrono::seconds limit);

/// The same from what it has printed.
absl::StatusOr<ExecCredential> ParseExecCredential(const std::string& text);

}  // namespace wsf::kube
