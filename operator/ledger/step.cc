// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/step.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "common/json/read.h"

namespace wsf::ledger {

Book Book::FromStatus(const nlohmann::json& status) {
  Book book;
  if (!status.is_object()) return book;
  book.sessions = Counters::FromJson(json::At(status, "sessions"));
  const nlohmann::json uncounted = json::At(status, "uncounted");
  if (!uncounted.is_array()) return book;
  for (const nlohmann::json& each : uncounted) {
    if (!each.is_object() || !each.contains("uid") || !each["uid"].is_string()) continue;
    Entry entry = {each["uid"], Counters::FromJson(each)};
    for (const auto& [code, count] : entry.sessions.by_code) entry.sessions.total += count;
    book.uncounted.push_back(std::move(entry));
  }
  return book;
}

nlohmann::json Book::UncountedJson() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Entry& entry : uncounted) {
    const nlohmann::json counted = entry.sessions.ToJson();
    list.push_back({{"uid", entry.uid},
                    {"established", counted["established"]},
                    {"billedMilliseconds", counted["billedMilliseconds"]},
                    {"byCode", counted["byCode"]}});
  }
  return list;
}

Step NextStep(const Book& book, const std::vector<ObservedPod>& pods) {
  Step step;
  step.book.sessions = book.sessions;
  std::unordered_set<std::string> guarded;  // pods that still bear the finalizer
  for (const ObservedPod& pod : pods) {
    if (pod.has_finalizer) guarded.insert(pod.uid);
  }
  std::unordered_set<std::string> entered;
  for (const Entry& entry : book.uncounted) {
    entered.insert(entry.uid);
    if (guarded.contains(entry.uid)) {
      step.book.uncounted.push_back(entry);
      step.remove_finalizer.push_back(entry.uid);
    } else {
      step.book.sessions.Add(entry.sessions);
    }
  }
  for (const ObservedPod& pod : pods) {
    if (!pod.ended) {
      // Kubernetes takes no new finalizer on an object that is being deleted.
      if (!pod.has_finalizer && !pod.deleting) step.put_back_finalizer.push_back(pod.uid);
      continue;
    }
    if (!pod.has_finalizer || entered.contains(pod.uid) || !pod.verdict) continue;
    if (pod.verdict->total == 0) {
      step.remove_finalizer.push_back(pod.uid);  // it never carried a session
    } else if (step.book.uncounted.size() < kMaxUncounted) {
      step.book.uncounted.push_back({pod.uid, *pod.verdict});
    }
  }
  return step;
}

}  // namespace wsf::ledger
