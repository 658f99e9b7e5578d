// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/counters.h"

#include <string>

#include "absl/strings/numbers.h"

namespace wsf::ledger {

void Counters::Add(const v1::SessionRecord& record) {
  ++total;
  established += record.established() != 0 ? 1 : 0;
  billed_ms += record.billed_ms();
  ++by_code[record.status_code()];
}

nlohmann::json Counters::ToJson() const {
  nlohmann::json codes = nlohmann::json::object();
  std::int64_t succeeded = 0;
  for (const auto& [code, count] : by_code) {
    codes[std::to_string(code)] = count;
    if (code == 200) succeeded = count;
  }
  return {{"total", total},         {"established", established},
          {"succeeded", succeeded}, {"failed", total - succeeded},
          {"byCode", codes},        {"billedMilliseconds", billed_ms}};
}

Counters Counters::FromJson(const nlohmann::json& sessions) {
  Counters counters;
  if (!sessions.is_object()) return counters;
  counters.total = sessions.value("total", std::int64_t{0});
  counters.established = sessions.value("established", std::int64_t{0});
  counters.billed_ms = sessions.value("billedMilliseconds", std::int64_t{0});
  const nlohmann::json codes = sessions.value("byCode", nlohmann::json::object());
  for (const auto& [code, count] : codes.items()) {
    int number = 0;
    if (absl::SimpleAtoi(code, &number)) counters.by_code[number] = count.get<std::int64_t>();
  }
  return counters;
}

}  // namespace wsf::ledger
