// SPDX-License-Identifier: Apache-2.0
//
// The table that the API server is asked about too (tests/cluster/api/test_resource.py).

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/spec/function.h"
#include "common/spec/yaml.h"

namespace wsf::spec {
namespace {

std::vector<Json> Cases() {
  std::ifstream file(WSF_SOURCE_DIR "/tests/tables/functions.yaml");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Json list = ParseYaml(text).value().at(0);
  return list.get<std::vector<Json>>();
}

TEST(FunctionTable, K01_K02_every_case_is_decided_as_the_api_server_does) {
  const std::vector<Json> cases = Cases();
  ASSERT_GE(cases.size(), 90u);
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
