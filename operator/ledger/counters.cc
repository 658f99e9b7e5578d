// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/counters.h"

#include <string>

#include "absl/strings/numbers.h"
#include "common/record/reader.h"

namespace wsf::ledger {

void Counters::Add(const v1::SessionRecord& record) {
  ++total;
  established += record.established() != 0 ? 1 : 0;
  billed_ms += record.billed_ms();
  ++by_code[record.status_code()];
}

void Counters::Add(const Counters& other) {
  total += other.total;
  established += other.established;
  billed_ms += other.billed_ms;
  for (const auto& [code, count] : other.by_code) by_code[code] += count;
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
  counters.total = Number(sessions, "total");
  counters.established = Number(sessions, "established");
  counters.billed_ms = Number(sessions, "billedMilliseconds");
  const auto codes = sessions.find("byCode");
  if (codes == sessions.end() || !codes->is_object()) return counters;
  for (const auto& [code, count] : codes->items()) {
    int number = 0;
    if (absl::SimpleAtoi(code, &number)) counters.by_code[number] = Number(*codes, code.c_str());
  }
  return counters;
}

Counters Counters::FromTotals(const v1::InstanceTotals& totals) {
  Counters counters;
  counters.established = totals.established();
  counters.billed_ms = totals.billed_ms();
  for (const auto& [code, count] : totals.sessions_by_code()) {
    counters.by_code[code] = count;
    counters.total += count;
  }
  return counters;
}

}  // namespace wsf::ledger
