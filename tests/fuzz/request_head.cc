// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "common/http/handshake.h"
#include "tests/fuzz/fuzz.h"

// What passes the strict rules is written and read again as the same handshake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf::http;
  const std::string_view bytes = Text(data, size);
  const auto head_size = HeadSize(bytes);
  if (!head_size) return 0;
  Require(*head_size <= size);
  const auto head = ParseRequestHead(bytes.substr(0, *head_size));
  if (!head.ok() || CheckHandshake(*head)) return 0;
  Require(head->fields.Count("Host") == 1 && head->fields.Count("Transfer-Encoding") == 0);
  RequestHead forwarded = *head;
  DropHopByHop(&forwarded.fields);
  forwarded.fields.Add("Connection", "Upgrade");
  const std::string text = Write(forwarded);
  const auto again = ParseRequestHead(text);
  Require(again.ok() && !CheckHandshake(*again));
  Require(again->target == head->target && HeadSize(text) == text.size());
  Require(OfferOf(*again).key == OfferOf(*head).key);
  return 0;
}
