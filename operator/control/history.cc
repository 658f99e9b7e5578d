// SPDX-License-Identifier: Apache-2.0
#include "operator/control/history.h"

#include <algorithm>
#include <vector>

#include "common/base/time.h"
#include "common/json/read.h"
#include "common/record/record.h"

namespace wsf::control {
namespace {

using Json = nlohmann::json;

bool Wanted(const std::string& key, const std::string& ns, const std::string& function) {
  const std::size_t slash = key.find('/');
  return (ns.empty() || key.substr(0, slash) == ns) &&
         (function.empty() || key.substr(slash + 1) == function);
}

void SortBy(const char* field, std::vector<Json>* list) {
  std::stable_sort(list->begin(), list->end(), [field](const Json& a, const Json& b) {
    return json::Text(a, field) < json::Text(b, field);
  });
}

}  // namespace

void History::Add(const v1::SessionRecord& record) {
  std::deque<std::string>& records = records_[record.namespace_() + "/" + record.function()];
  records.push_back(RecordJson(record));
  if (records.size() > kMaxPerFunction) records.pop_front();
}

Json History::Describe(const fleet::Fleet& fleet, const std::string& ns,
                       const std::string& function) const {
  std::vector<Json> live;
  for (const auto& [uid, instance] : fleet.instances()) {
    if (!Wanted(instance.pod.function_key(), ns, function)) continue;
    for (const auto& [request_id, session] : instance.sessions) {
      live.push_back({{"requestId", request_id},
                      {"namespace", instance.pod.ns},
                      {"function", instance.pod.function},
                      {"revision", instance.pod.revision},
                      {"instance", instance.pod.name},
                      {"podUid", uid},
                      {"client", session.client},
                      {"requestStart", Rfc3339(session.since)},
                      {"statusCode", 202}});
    }
  }
  std::vector<Json> records;
  for (const auto& [key, lines] : records_) {
    if (!Wanted(key, ns, function)) continue;
    for (const std::string& line : lines) records.push_back(Json::parse(line));
  }
  SortBy("requestStart", &live);
  SortBy("ended", &records);
  return {{"live", live}, {"records", records}};
}

}  // namespace wsf::control
