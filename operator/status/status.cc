// SPDX-License-Identifier: Apache-2.0
#include "operator/status/status.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json/read.h"
#include "operator/instances/pod.h"

namespace wsf::status {
namespace {

struct Condition {
  const char* type;
  bool on;
  std::string reason;
  std::string message;
};

Json ToJson(const Condition& condition, std::int64_t generation, const Json& old,
            const std::string& now) {
  const std::string status = condition.on ? "True" : "False";
  std::string since = now;
  for (const Json& each : old) {
    if (json::Text(each, "type") == condition.type && json::Text(each, "status") == status) {
      since = json::TextOr(now, each, "lastTransitionTime");
    }
  }
  return {{"type", condition.type},           {"status", status},
          {"reason", condition.reason},       {"message", condition.message},
          {"observedGeneration", generation}, {"lastTransitionTime", since}};
}

struct Conditions {
  Condition ready;
  Condition reconciling;
  Condition stalled;
};

Conditions Judge(const Facts& facts) {
  const spec::Function& function = facts.function;
  Condition settled = {"Reconciling", false, "Settled", ""};
  if (!function.errors.empty()) {
    const std::string what = absl::StrJoin(function.errors, "; ");
    return {{"Ready", false, "InvalidSpec", what}, settled, {"Stalled", true, "InvalidSpec", what}};
  }
  if (facts.counts.outdated > 0) {
    settled = {"Reconciling", true, "Replacing",
               absl::StrCat(facts.counts.outdated, " instances of an older revision are replaced")};
  }
  Condition well = {"Stalled", false, "Running", ""};
  if (!facts.lost_hosts.empty()) {
    const auto& [host, owner] = *facts.lost_hosts.begin();
    well = {"Stalled", true, "HostConflict",
            absl::StrCat(host, " belongs to the older function ", owner)};
  }
  if (function.spec.suspend) {
    return {{"Ready", false, "Suspended", "spec.suspend is true"}, settled, well};
  }
  if (function.spec.max_instances == 0u) {
    return {{"Ready", false, "SwitchedOff", "spec.maxInstances is 0"}, settled, well};
  }
  if (facts.failure) {
    const http::Refusal& failure = *facts.failure;
    const std::string what = http::FullMessage(failure);
    if (!failure.may_pass) well = {"Stalled", true, failure.reason, what};
    return {{"Ready", false, failure.reason, what}, settled, well};
  }
  return {{"Ready", true, "Serving", "connections are served"}, settled, well};
}

}  // namespace

Json MakeStatus(const Facts& facts, const Json& old, const std::string& now_rfc3339) {
  const Conditions conditions = Judge(facts);
  const Json& old_conditions = json::Items(old, "conditions");
  Json list = Json::array();
  for (const Condition& each : {conditions.ready, conditions.reconciling, conditions.stalled}) {
    list.push_back(ToJson(each, facts.function.generation, old_conditions, now_rfc3339));
  }
  const fleet::Counts& counts = facts.counts;
  return {{"observedGeneration", facts.function.generation},
          {"url", facts.url},
          {"revision", facts.revision},
          {"instances", counts.starting + counts.free + counts.live + counts.ending},
          {"starting", counts.starting},
          {"free", counts.free},
          {"live", counts.live},
          {"liveSessions", counts.live_sessions},
          {"waiting", counts.waiting},
          {"selector", absl::StrCat(instances::kFunctionLabel, "=", facts.function.name)},
          {"sessions", facts.book.sessions.ToJson()},
          {"uncounted", facts.book.UncountedJson()},
          {"conditions", list}};
}

}  // namespace wsf::status
