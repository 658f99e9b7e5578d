// SPDX-License-Identifier: Apache-2.0

#include "sidecar/session/settings.h"
#include "absl/strings/escaping.h"
#include "sidecar/session/clocks.h"
#include "sidecar/session/rate.h"
#include "tests/fuzz/fuzz.h"

// Whatever a gateway sends, as text or as what the text encodes, gives settings that work.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf::session;
  const std::string_view bytes = Text(data, size);
  (void)DecodeSettings(bytes);
  const auto settings = DecodeSettings(absl::Base64Escape({bytes.data(), bytes.size()}));
  if (!settings.ok()) return 0;
  const wsf::TimePoint now = wsf::TimePoint() + std::chrono::hours(1);
  const Clocks clocks(now, settings->idle_timeout, settings->execution_timeout);
  Require(clocks.NextDeadline() >= now);
  Rate rate(settings->request_bytes_per_second, settings->requests_per_second);
  const auto granted = rate.Allow(now);
  if (settings->request_bytes_per_second > 0) {
    Require(granted.bytes <= settings->request_bytes_per_second);
    rate.Use({granted.bytes, 0}, now);
    Require(rate.Allow(now).bytes == 0 && rate.NextChance(now) > now);
  }
  return 0;
}
