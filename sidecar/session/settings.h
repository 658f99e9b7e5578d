// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace wsf::session {

/// What the platform does to the client when a timeout ends its session (A7).
enum class TimeoutAction { kClose, kAbort };

/// What happens to a client that talks faster than it may (A11).
enum class RateAction { kThrottle, kClose };

/// What an empty Close frame (1005) counts as (A3).
enum class EmptyClose { kFailure, kSuccess };

/// The values of one session, read once when its handshake arrives (A25). Defaults are those of
/// behaviour.md section 8; 0 switches a limit or the idle clock off.
struct Settings {
  std::chrono::seconds idle_timeout{15};
  std::chrono::seconds execution_timeout{7200};
  std::chrono::seconds handshake_timeout{30};
  std::chrono::seconds close_timeout{10};
  std::uint64_t max_message_bytes = 262144;
  std::uint64_t request_bytes_per_second = 131072;
  std::uint32_t requests_per_second = 10;
  RateAction on_rate = RateAction::kThrottle;
  std::uint32_t instance_concurrency = 1;
  bool idle_counts_control_frames = false;  ///< A6
  EmptyClose empty_close = EmptyClose::kFailure;
  TimeoutAction on_idle = TimeoutAction::kClose;
  TimeoutAction on_execution = TimeoutAction::kAbort;
  bool record_subprotocol = false;  ///< browsers put tokens there
};

/// Decodes X-Wsf-Settings: base64 of a SessionSettings. An empty text gives the defaults.
absl::StatusOr<Settings> DecodeSettings(std::string_view base64);

}  // namespace wsf::session
