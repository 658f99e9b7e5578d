// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/time.h"
#include "common/kube/kubeconfig.h"

namespace wsf::kube {

/// What a request is made with, all PEM but the token; "" = none.
struct Credentials {
  std::string authority;
  std::string client_certificate;
  std::string client_key;
  std::string token;
  bool operator==(const Credentials&) const = default;
};

/// Reads what an Access names, and again: files are replaced while we run (the kubelet does so with
/// tokens, everybody with certificates), and what a plugin has made expires.
///
/// Threading: not synchronized. A plugin is waited for, ten seconds at most, and not run again
/// within five.
class CredentialReader {
 public:
  explicit CredentialReader(const Access& access) : access_(access) {}

  /// As they are now; files are looked at once a second. What cannot be read stays as it was. An
  /// error is a plugin's.
  absl::StatusOr<Credentials> Read(TimePoint now = std::chrono::steady_clock::now());
  /// Of the last Read.
  const std::string& token() const { return credentials_.token; }
  /// The API server has refused this token: a plugin is asked anew, unless it has made another one.
  void Refused(const std::string& token) {
    if (token == credentials_.token) expires_ = 0;
  }

 private:
  void ReadFiles(TimePoint now);
  absl::Status RunPluginIfDue(TimePoint now);

  const Access access_;
  Credentials credentials_;
  TimePoint files_read_;
  absl::Status plugin_ = absl::OkStatus();  // how its last run went
  TimePoint plugin_run_;
  std::int64_t expires_ = 0;  // of what the plugin has made, Unix microseconds
};

}  // namespace wsf::kube
