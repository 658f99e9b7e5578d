// SPDX-License-Identifier: Apache-2.0
//
// The table that the API server is asked about too (tests/cluster/api/test_resource.py), and the
// embedded one.

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/spec/function.h"
#include "tests/tables/table.h"

namespace wsf::spec {
namespace {

TEST(FunctionTable, K01_K02_every_case_is_decided_as_the_api_server_does) {
  const std::vector<Json> cases = tables::Read("functions.yaml");
  ASSERT_GE(cases.size(), 200u);
  for (const Json& each : cases) {
    const Function function = ParseFunction(
        {{"metadata", {{"name", each.value("called", "f")}}}, {"spec", each["spec"]}});
    const std::string said = absl::StrJoin(function.errors, "; ");
    // A command needs no image on one machine; that one is set, the API server sees to.
    const bool is_refused = each.contains("refused") && !each.value("onOneMachine", false);
    EXPECT_EQ(!function.errors.empty(), is_refused) << each["name"] << ": " << said;
    if (is_refused) {
      EXPECT_TRUE(absl::StrContains(said, each["refused"].get<std::string>()))
          << each["name"] << ": " << said;
    }
  }
}

}  // namespace
}  // namespace wsf::spec
