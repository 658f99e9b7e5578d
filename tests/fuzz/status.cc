// SPDX-License-Identifier: Apache-2.0

#include "operator/status/status.h"
#include "tests/fuzz/fuzz.h"

// Whoever may write statuses says nothing that hurts the operator, and a book keeps its meaning.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf;
  const auto old = nlohmann::json::parse(Text(data, size), nullptr, false);
  if (old.is_discarded()) return 0;
  const ledger::Book book = ledger::Book::FromStatus(old);
  const spec::Function function =
      spec::ParseFunction({{"metadata", {{"namespace", "ns"}, {"name", "f"}, {"uid", "fu"}}},
                           {"spec", {{"image", "i"}}}});
  const status::Facts facts = {function, "wss://x", "f-1", fleet::Counts(), book, std::nullopt, {}};
  const auto fresh = status::MakeStatus(facts, old, "2026-01-01T00:00:00Z");
  Require(ledger::Book::FromStatus(fresh) == book);
  return 0;
}
