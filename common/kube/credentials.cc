// SPDX-License-Identifier: Apache-2.0
#include "common/kube/credentials.h"

#include <chrono>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/kube/exec_plugin.h"

namespace wsf::kube {
namespace {

constexpr auto kReadAgain = std::chrono::seconds(1);
// Whoever waits for it renews no Lease.
constexpr auto kPluginTime = std::chrono::seconds(10);
constexpr auto kPluginPause = std::chrono::seconds(5);
// A request that is on its way when they expire would be refused.
constexpr std::int64_t kEarlyMicros = 10'000'000;

void Take(const Source& source, std::string* value) {
  if (source.file.empty()) {
    if (!source.data.empty()) *value = source.data;
    return;
  }
  absl::StatusOr<std::string> read = ReadFile(source.file);
  if (read.ok() && !read->empty()) *value = *std::move(read);
}

}  // namespace

void CredentialReader::ReadFiles(TimePoint now) {
  if (files_read_ != TimePoint() && now < files_read_ + kReadAgain) return;
  files_read_ = now;
  Take(access_.authority, &credentials_.authority);
  Take(access_.token, &credentials_.token);
  absl::StripAsciiWhitespace(&credentials_.token);
  // Two files are not replaced at one moment: a pair that does not match fails, and is read again.
  Take(access_.client_certificate, &credentials_.client_certificate);
  Take(access_.client_key, &credentials_.client_key);
}

absl::Status CredentialReader::RunPluginIfDue(TimePoint now) {
  if (!access_.exec || UnixMicros() + kEarlyMicros < expires_) return absl::OkStatus();
  if (plugin_run_ != TimePoint() && now < plugin_run_ + kPluginPause) return plugin_;
  plugin_run_ = now;
  absl::StatusOr<ExecCredential> made = RunPlugin(*access_.exec, kPluginTime);
  plugin_ = made.status();
  if (!made.ok()) return plugin_;
  expires_ = made->expires != 0 ? made->expires : std::numeric_limits<std::int64_t>::max();
  if (!made->token.empty()) credentials_.token = std::move(made->token);
  if (!made->client_certificate.empty()) {
    credentials_.client_certificate = std::move(made->client_certificate);
    credentials_.client_key = std::move(made->client_key);
  }
  return absl::OkStatus();
}

absl::StatusOr<Credentials> CredentialReader::Read(TimePoint now) {
  ReadFiles(now);
  if (absl::Status status = RunPluginIfDue(now); !status.ok()) return status;
  return credentials_;
}

}  // namespace wsf::kube
