// SPDX-License-Identifier: Apache-2.0
#include "operator/control/history.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/time.h"
#include "common/record/record.h"

namespace wsf::control {
namespace {

using Json = nlohmann::json;

bool Wanted(const std::string& key, const History::Query& query) {
  const std::size_t slash = key.find('/');
  return (query.ns.empty() || key.substr(0, slash) == query.ns) &&
         (query.function.empty() || key.substr(slash + 1) == query.function);
}

std::string LiveSessions(const fleet::Fleet& fleet, const History::Query& query) {
  std::vector<std::pair<std::int64_t, Json>> live;  // by start
  for (const auto& [uid, instance] : fleet.instances()) {
    if (!Wanted(instance.pod.function_key(), query)) continue;
    for (const auto& [request_id, session] : instance.sessions) {
      live.emplace_back(session.since, Json{{"requestId", request_id},
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
  std::ranges::stable_sort(live, {}, &std::pair<std::int64_t, Json>::first);
  return absl::StrJoin(live, ",", [](std::string* out, const auto& each) {
    absl::StrAppend(out, each.second.dump());
  });
}

}  // namespace

void History::Add(const v1::SessionRecord& record) {
  std::deque<Line>& records = records_[record.namespace_() + "/" + record.function()];
  records.push_back({next_++, record.ended(), RecordJson(record)});
  ++size_;
  if (records.size() > kMaxPerFunction) {
    records.pop_front();
    --size_;
  }
  if (size_ > kMaxRecords) DropOldestOfLargest();
}

std::size_t History::Drop(const std::string& function_key) {
  const auto found = records_.find(function_key);
  if (found == records_.end()) return 0;
  const std::size_t size = found->second.size();
  records_.erase(found);
  return size;
}

void History::DropOldestOfLargest() {
  const auto largest =
      std::ranges::max_element(records_, {}, [](const auto& each) { return each.second.size(); });
  largest->second.pop_front();
  --size_;
  if (largest->second.empty()) records_.erase(largest);
}

std::uint64_t History::NumberOf(const std::string& cursor) const {
  std::uint64_t number = 0;
  const std::string prefix = process_ + ".";
  if (!absl::StartsWith(cursor, prefix)) return 0;
  return absl::SimpleAtoi(cursor.substr(prefix.size()), &number) ? number : 0;
}

std::string History::Describe(const fleet::Fleet& fleet, const Query& query) const {
  const std::uint64_t from = NumberOf(query.after);
  std::vector<const Line*> lines;
  for (const auto& [key, records] : records_) {
    if (!Wanted(key, query)) continue;
    const auto first = std::ranges::lower_bound(records, from, {}, &Line::number);
    for (auto each = first; each != records.end(); ++each) lines.push_back(&*each);
  }
  std::ranges::stable_sort(lines, {}, [](const Line* line) { return line->ended; });
  const std::string records = absl::StrJoin(
      lines, ",", [](std::string* out, const Line* each) { absl::StrAppend(out, each->json); });
  return absl::StrCat("{\"cursor\":\"", process_, ".", next_, "\",\"live\":[",
                      LiveSessions(fleet, query), "],\"records\":[", records, "]}");
}

}  // namespace wsf::control
