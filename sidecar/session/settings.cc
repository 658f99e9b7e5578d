// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/settings.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "sidecar/session/rate.h"
#include "wsf/v1/settings.pb.h"

namespace wsf::session {
namespace {

TimeoutAction ActionOf(v1::TimeoutAction action, TimeoutAction fallback) {
  if (action == v1::TIMEOUT_ACTION_CLOSE) return TimeoutAction::kClose;
  if (action == v1::TIMEOUT_ACTION_ABORT) return TimeoutAction::kAbort;
  return fallback;
}

}  // namespace

absl::StatusOr<Settings> DecodeSettings(std::string_view base64) {
  std::string bytes;
  v1::SessionSettings from;
  if (!absl::Base64Unescape({base64.data(), base64.size()}, &bytes) ||
      !from.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("X-Wsf-Settings is not the base64 of a SessionSettings");
  }
  Settings to;
  using std::chrono::seconds;
  if (from.has_idle_timeout_seconds()) to.idle_timeout = seconds(from.idle_timeout_seconds());
  if (from.has_execution_timeout_seconds()) {
    to.execution_timeout = seconds(from.execution_timeout_seconds());
  }
  if (from.has_handshake_timeout_seconds()) {
    to.handshake_timeout = seconds(from.handshake_timeout_seconds());
  }
  if (from.has_close_timeout_seconds()) to.close_timeout = seconds(from.close_timeout_seconds());
  if (from.has_max_message_bytes()) to.max_message_bytes = from.max_message_bytes();
  if (from.has_request_bytes_per_second()) {
    to.request_bytes_per_second =
        std::min<std::uint64_t>(from.request_bytes_per_second(), Rate::kGreatest);
  }
  if (from.has_requests_per_second()) {
    to.requests_per_second = std::min(from.requests_per_second(), Rate::kGreatest);
  }
  if (from.on_rate_exceeded() == v1::RATE_ACTION_CLOSE) to.on_rate = RateAction::kClose;
  if (from.has_instance_concurrency()) to.instance_concurrency = from.instance_concurrency();
  const v1::ClosePolicy& policy = from.close_policy();
  if (policy.empty_close_is_success()) to.empty_close = EmptyClose::kSuccess;
  to.idle_counts_control_frames = policy.idle_counts_control_frames();
  to.on_idle = ActionOf(policy.idle_timeout(), to.on_idle);
  to.on_execution = ActionOf(policy.execution_timeout(), to.on_execution);
  to.record_subprotocol = from.record_subprotocol();
  return to;
}

}  // namespace wsf::session
