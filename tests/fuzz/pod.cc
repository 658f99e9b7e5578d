// SPDX-License-Identifier: Apache-2.0

#include "operator/fleet/fleet.h"
#include "operator/ledger/ledger.h"
#include "tests/fuzz/fuzz.h"

// Whoever may write pods in one namespace, or their statuses, says nothing that hurts the operator.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf;
  const auto object = nlohmann::json::parse(Text(data, size), nullptr, false);
  if (object.is_discarded()) return 0;
  const TimePoint now = TimePoint() + std::chrono::hours(1);
  const spec::Function function =
      spec::ParseFunction({{"metadata", {{"namespace", "ns"}, {"name", "f"}, {"uid", "fu"}}},
                           {"spec", {{"image", "i"}}}});
  fleet::Fleet fleet(std::chrono::seconds(60));
  ledger::Ledger ledger;
  ledger.OnFunction(function.owner(), 1, ledger::Book());
  ledger.OnPodsAsked();
  ledger.OnPodsListed();
  fleet.OnPodsListed(now);
  fleet.OnFunction(function, now);
  const instances::Pod pod = instances::ParsePod(object);
  fleet.OnPod(pod, now);
  ledger.OnPod(pod, now);
  fleet.Plan(now);
  ledger.Plan(now);
  const auto book = ledger.BookToWrite(function.owner(), now);
  if (book) Require(book->sessions.total >= 0 && book->sessions.billed_ms >= 0);
  fleet.OnPodGone(pod.uid);
  ledger.OnPodGone(pod.uid, now);
  return 0;
}
