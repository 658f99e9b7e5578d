// SPDX-License-Identifier: Apache-2.0

#include "sidecar/slot/control.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf;
  const auto head = http::ParseRequestHead(Text(data, size));
  if (!head.ok() || slot::IsAmbiguous(head->fields)) return 0;
  const auto request = slot::ReadControl(*head);
  if (!request.ok()) return 0;
  Require(head->fields.Count("X-Wsf-Control") == 1 && head->fields.Count("Upgrade") == 0);
  return 0;
}
