// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "common/http/body_end.h"
#include "common/http/handshake.h"
#include "tests/fuzz/fuzz.h"

// What is taken for an acceptance is one, and says so again when it is written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf::http;
  const std::string_view bytes = Text(data, size);
  const auto head_size = HeadSize(bytes);
  if (!head_size) return 0;
  const auto head = ParseAnswerHead(bytes.substr(0, *head_size));
  if (!head.ok()) return 0;
  Require(head->status >= 0 && head->status <= 999);
  const Offer offer = {"dGhlIHNhbXBsZSBub25jZQ==", {"chat"}, {"permessage-deflate"}};
  if (!CheckSwitchingProtocols(*head, offer).ok()) return 0;
  Require(head->status == 101);
  const auto again = ParseAnswerHead(Write(*head));
  Require(again.ok() && CheckSwitchingProtocols(*again, offer).ok());
  Require(AllowedRsv(*again) == AllowedRsv(*head));
  return 0;
}
