// SPDX-License-Identifier: Apache-2.0
#include "common/base/time.h"

#include "absl/time/time.h"

namespace wsf {
namespace {

constexpr std::int64_t kMaxUnixMicros = 253'402'300'799'999'999;  // the last of the year 9999

}  // namespace

std::int64_t UnixMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Rfc3339(std::int64_t unix_micros) {
  if (unix_micros == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(unix_micros),
                          absl::UTCTimeZone());
}

std::string Rfc3339Seconds(std::int64_t unix_micros) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(unix_micros),
                          absl::UTCTimeZone());
}

std::int64_t ParseRfc3339(const std::string& text) {
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return 0;
  const std::int64_t micros = absl::ToUnixMicros(time);
  // It also reads "infinite-past" and years of any length: sums of those overflow.
  return micros < 0 || micros > kMaxUnixMicros ? 0 : micros;
}

}  // namespace wsf
