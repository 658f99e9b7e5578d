// SPDX-License-Identifier: Apache-2.0
#include "operator/status/status.h"

#include <gtest/gtest.h>

#include "tests/tables/table.h"

namespace wsf::status {
namespace {

constexpr char kNow[] = "2026-01-01T00:00:00Z";
constexpr char kLater[] = "2026-01-01T00:01:00Z";

class StatusTest : public testing::Test {
 protected:
  StatusTest() {
    function_.ns = "demo";
    function_.name = "echo";
    function_.generation = 3;
  }
  Json Status(const Json& old = Json::object(), const char* now = kNow) {
    return MakeStatus({function_, "ws://x/demo/echo", "echo-1", counts_, book_, failure_, lost_},
                      old, now);
  }
  static Json Condition(const Json& status, const std::string& type) {
    for (const Json& each : status["conditions"]) {
      if (each["type"] == type) return each;
    }
    return nullptr;
  }
  std::string Told(const std::string& type) {
    const Json condition = Condition(Status(), type);
    return condition["status"].get<std::string>() + " " + condition["reason"].get<std::string>();
  }

  spec::Function function_;
  fleet::Counts counts_;
  ledger::Book book_;
  std::optional<http::Refusal> failure_;
  std::map<std::string, std::string> lost_;
};

TEST_F(StatusTest, K04_every_condition_bears_the_generation_it_is_about) {
  const Json status = Status();
  EXPECT_EQ(status["observedGeneration"], 3);
  for (const char* type : {"Ready", "Reconciling", "Stalled"}) {
    EXPECT_EQ(Condition(status, type)["observedGeneration"], 3) << type;
  }
}

TEST_F(StatusTest, K04_ready_when_connections_would_be_served) {
  EXPECT_EQ(Told("Ready"), "True Serving");
  EXPECT_EQ(Told("Stalled"), "False Running");
  EXPECT_EQ(Told("Reconciling"), "False Settled");
}

TEST_F(StatusTest, K04_reconciling_while_instances_of_an_old_revision_are_replaced) {
  counts_.outdated = 2;
  EXPECT_EQ(Told("Reconciling"), "True Replacing");
  EXPECT_EQ(Told("Ready"), "True Serving");
}

TEST_F(StatusTest, K01_K04_an_invalid_spec_is_stalled_and_says_what_to_write) {
  function_.errors = {"spec.port must be an integer from 1 to 65535"};
  EXPECT_EQ(Told("Ready"), "False InvalidSpec");
  EXPECT_EQ(Told("Stalled"), "True InvalidSpec");
  EXPECT_EQ(Condition(Status(), "Stalled")["message"], function_.errors.front());
}

TEST_F(StatusTest, K11_a_lost_host_is_a_conflict_and_the_path_is_served_still) {
  lost_ = {{"a.example", "demo/old"}};
  EXPECT_EQ(Told("Stalled"), "True HostConflict");
  EXPECT_EQ(Told("Ready"), "True Serving");
  EXPECT_EQ(Condition(Status(), "Stalled")["message"],
            "a.example belongs to the older function demo/old");
}

TEST_F(StatusTest, K04_a_failed_start_is_stalled) {
  failure_ = http::Refusal{502, 444, "PullImageFailed", "no such image", 0};
  EXPECT_EQ(Told("Ready"), "False PullImageFailed");
  EXPECT_EQ(Told("Stalled"), "True PullImageFailed");
}

// What Flux and Argo CD make of it: tests/delivery/test_health.py.
TEST_F(StatusTest, K04_every_state_is_told_as_its_table_says) {
  int told = 0;
  for (const Json& row : tables::Read("health.yaml")) {
    if (!row.contains("conditions")) continue;
    const Json facts = row.value("facts", Json::object());
    const Json object = row.value("object", Json::object());
    const Json spec = object.value("spec", Json::object());
    function_.spec.suspend = spec.value("suspend", false);
    function_.spec.max_instances.reset();
    if (spec.contains("maxInstances")) function_.spec.max_instances = spec["maxInstances"];
    function_.errors = facts.value("errors", std::vector<std::string>());
    counts_.outdated = facts.value("outdated", 0);
    lost_ = facts.value("lost", std::map<std::string, std::string>());
    failure_.reset();
    if (const Json failure = facts.value("failure", Json()); !failure.is_null()) {
      failure_ = http::Refusal{502, failure["code"], failure["reason"], "why", 0};
      failure_->may_pass = failure.value("mayPass", false);
    }
    for (const auto& [type, expected] : row["conditions"].items()) {
      EXPECT_EQ(Told(type), expected.get<std::string>()) << row["name"];
    }
    ++told;
  }
  EXPECT_GE(told, 12);
}

TEST_F(StatusTest, K07_nothing_changes_while_nothing_happens) {
  const Json first = Status();
  EXPECT_EQ(Status(first, kLater), first);
  function_.spec.suspend = true;
  const Json changed = Status(first, kLater);
  EXPECT_EQ(Condition(changed, "Ready")["lastTransitionTime"], kLater);
  EXPECT_EQ(Condition(changed, "Stalled")["lastTransitionTime"], kNow);
}

}  // namespace
}  // namespace wsf::status
