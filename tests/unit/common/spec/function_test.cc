// SPDX-License-Identifier: Apache-2.0
#include "common/spec/function.h"

#include <gtest/gtest.h>

#include "common/spec/grants.h"
#include "common/spec/yaml.h"

namespace wsf::spec {
namespace {

Function Parse(const std::string& spec_json) {
  return ParseFunction({{"metadata", {{"name", "f"}}}, {"spec", Json::parse(spec_json)}});
}

TEST(ParseFunction, FillsTheDefaultsOfTheCurrentProfile) {
  const Function function = Parse("{}");
  EXPECT_TRUE(function.errors.empty());
  EXPECT_EQ(function.spec.port, 9000);
  EXPECT_EQ(function.spec.idle_timeout_seconds, 15u);
  EXPECT_EQ(function.spec.max_message_bytes, 262144u);
  EXPECT_EQ(function.spec.instance_concurrency, 1u);
}

TEST(ParseFunction, C1_AProfileBringsItsOwnLimits) {
  EXPECT_EQ(Parse(R"({"limits": {"profile": "open"}})").spec.idle_timeout_seconds, 0u);
  EXPECT_EQ(Parse(R"({"limits": {"profile": "legacy2021"}})").spec.max_message_bytes, 1048576u);
}

struct Case {
  const char* name;
  const char* spec;
  bool valid;
};

class Specs : public testing::TestWithParam<Case> {};

TEST_P(Specs, K01_RangesAreChecked) {
  EXPECT_EQ(Parse(GetParam().spec).errors.empty(), GetParam().valid) << GetParam().spec;
}

INSTANTIATE_TEST_SUITE_P(
    Section8, Specs,
    testing::Values(
        Case{"S1_01_idle10", R"({"idleTimeoutSeconds": 10})", true},
        Case{"S1_01_idle7200", R"({"idleTimeoutSeconds": 7200})", true},
        Case{"S1_01_idle9", R"({"idleTimeoutSeconds": 9})", false},
        Case{"S1_01_idle7201", R"({"idleTimeoutSeconds": 7201})", false},
        Case{"C3_idle0", R"({"idleTimeoutSeconds": 0})", true},
        Case{"S0_23_legacy1", R"({"limits": {"profile": "legacy2021"}, "idleTimeoutSeconds": 1})",
             true},
        Case{"S0_23_legacy601",
             R"({"limits": {"profile": "legacy2021"}, "idleTimeoutSeconds": 601})", false},
        Case{"S1_02_executionBelowIdle",
             R"({"idleTimeoutSeconds": 60, "executionTimeoutSeconds": 59})", false},
        Case{"S1_02_executionEqualsIdle",
             R"({"idleTimeoutSeconds": 60, "executionTimeoutSeconds": 60})", true},
        Case{"C4_port0", R"({"port": 0})", false}, Case{"relayPort", R"({"port": 17009})", false},
        Case{"warmAboveMax", R"({"warmInstances": 2, "maxInstances": 1})", false},
        Case{"protocol", R"({"protocol": "HTTP"})", false},
        Case{"misspelt", R"({"idleTimeout": 60})", false},
        Case{"misspeltLimit", R"({"limits": {"maxMessage": 1}})", false},
        Case{"limitsNoObject", R"({"limits": 5})", false},
        Case{"envNumber", R"({"env": [{"name": "A", "value": 5}]})", false},
        Case{"env", R"({"env": [{"name": "A", "value": "5"}]})", true},
        Case{"resourcesNoObject", R"({"resources": 5})", false},
        Case{"memoryNoQuantity", R"({"resources": {"limits": {"memory": "lots"}}})", false},
        Case{"memory", R"({"resources": {"limits": {"memory": "100Mi", "cpu": 1}}})", true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ParseFunction, AWrongShapeIsAnErrorAndNothingWorse) {
  for (const char* text : {"5", "[]", "{}", R"({"metadata": 5})", R"({"metadata": {"name": 5}})",
                           R"({"metadata": {"generation": "x"}})", R"({"spec": 5})"}) {
    const Function function = ParseFunction(Json::parse(text));
    RevisionOf(function, "1");
    MemoryLimitBytes(function.spec);
    SettingsOf(function);
  }
  EXPECT_FALSE(ParseFunction(Json::parse(R"({"spec": 5})")).errors.empty());
}

TEST(CheckGrants, K25_K22_only_whom_the_administrator_lets_holds_up_drains) {
  const auto errors = [](const char* eviction, Eviction most) {
    Function function = ParseFunction(
        {{"metadata", {{"name", "f"}}}, {"spec", {{"image", "a"}, {"eviction", eviction}}}});
    Grants grants;
    grants.eviction = most;
    CheckGrants(grants, &function);
    return function.errors.size();
  };
  EXPECT_EQ(errors("Always", Eviction::kAlways), 0u);
  EXPECT_EQ(errors("OnUpgrade", Eviction::kAlways), 1u);
  EXPECT_EQ(errors("OnUpgrade", Eviction::kOnUpgrade), 0u);
  EXPECT_EQ(errors("Never", Eviction::kOnUpgrade), 1u);
  EXPECT_EQ(errors("Never", Eviction::kNever), 0u);
}

TEST(CheckGrants, C7_AFunctionMayNotAskForMoreThanTheAdministratorGrants) {
  const auto errors = [](const char* spec, const Maxima& maxima) {
    Function function = ParseFunction({{"metadata", {{"name", "f"}}}, {"spec", Json::parse(spec)}});
    Grants grants;
    grants.maxima = maxima;
    CheckGrants(grants, &function);
    return function.errors;
  };
  EXPECT_TRUE(errors("{}", {}).empty());
  EXPECT_TRUE(errors("{}", {262144, 131072, 10}).empty());
  const auto larger = errors(R"({"limits": {"maxMessageBytes": 262145}})", {262144, 0, 0});
  ASSERT_EQ(larger.size(), 1u);
  EXPECT_EQ(larger[0],
            "spec.limits.maxMessageBytes must be from 1 to 262144, which the administrator grants "
            "at most");
  EXPECT_EQ(errors(R"({"limits": {"requestsPerSecond": 0}})", {0, 0, 100}).size(), 1u);
}

TEST(RevisionOf, S0_27_ATimeoutKeepsThePodsAndACommandReplacesThem) {
  const std::string revision = RevisionOf(Parse("{}"), "1");
  EXPECT_EQ(RevisionOf(Parse(R"({"idleTimeoutSeconds": 60, "warmInstances": 3})"), "1"), revision);
  EXPECT_NE(RevisionOf(Parse(R"({"command": ["x"]})"), "1"), revision);
  EXPECT_NE(RevisionOf(Parse("{}"), "2"), revision);
}

TEST(MemoryLimitBytes, ReadsQuantities) {
  const auto bytes = [](const std::string& quantity) {
    FunctionSpec spec;
    spec.resources = {{"limits", {{"memory", quantity}}}};
    return MemoryLimitBytes(spec);
  };
  EXPECT_EQ(bytes("128Mi"), 134217728);
  EXPECT_EQ(bytes("1G"), 1000000000);
  EXPECT_EQ(bytes("1.5Ki"), 1536);
  EXPECT_EQ(bytes("4096"), 4096);
}

TEST(ParseYaml, ACycleAndABombAreRefused) {
  EXPECT_FALSE(ParseYaml("a: &a [*a]").ok());
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k > 0 ? "," : "") + last;
    bomb += "]\n";
  }
  EXPECT_FALSE(ParseYaml(bomb).ok());
}

TEST(ParseYaml, WhatBeginsNoDocumentIsRefusedAndNotReadForEver) {
  for (const char* odd : {",a~z", "a: 1\n---\n,b", "}", "]\n", "a\n...\n, b"}) {
    EXPECT_FALSE(ParseYaml(odd).ok()) << odd;
  }
  EXPECT_EQ(ParseYaml("---\n---\na: 1\n---\n...\n--- b\n")->size(), 2u);
}

TEST(ParseYaml, KeepsTheTypesOfScalars) {
  const Json json = ParseYaml("a: 1\nb: 'x'\nc: true\nd: 1.5\ne: '2'\nf:\n")->front();
  EXPECT_EQ(json, Json::parse(R"({"a":1,"b":"x","c":true,"d":1.5,"e":"2","f":null})"));
}

}  // namespace
}  // namespace wsf::spec
