// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace wsf {

/// Deadlines and durations: a clock that no administrator can move.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// Wall clock in microseconds since the Unix epoch: for records only, never for a deadline.
std::int64_t UnixMicros();

/// RFC 3339 in UTC with microseconds ("2026-01-02T03:04:05.678901Z"); "" for 0.
std::string Rfc3339(std::int64_t unix_micros);

/// RFC 3339 in UTC with seconds: the form of Kubernetes' metadata.
std::string Rfc3339Seconds(std::int64_t unix_micros);

/// The inverse of both; 0 when `text` is empty, not RFC 3339, or not between 1970 and 9999.
std::int64_t ParseRfc3339(const std::string& text);

}  // namespace wsf
