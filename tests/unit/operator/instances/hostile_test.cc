// SPDX-License-Identifier: Apache-2.0
//
// What writers of functions may not get. A real API server is asked too (tests/cluster/api).

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/spec/grants.h"
#include "operator/instances/pod.h"
#include "restricted.h"
#include "tests/tables/table.h"

namespace wsf::instances {
namespace {

spec::Grants Administrators() {
  spec::Grants grants;
  grants.maxima.message_bytes = 1 << 20;
  grants.maxima.requests_per_second = 100;
  grants.hosts["neighbour"] = {"neighbour.example.com"};
  grants.own_hosts = {"ws.example.com", "ws.example.org"};
  grants.platform_namespace = "wsf-system";
  return grants;
}

spec::Function Read(const Json& row) {
  return spec::ParseFunction(
      {{"metadata", {{"name", row.value("called", "f")}, {"namespace", "n"}, {"uid", "u"}}},
       {"spec", row["spec"]}});
}

std::string Told(const spec::Function& function) { return absl::StrJoin(function.errors, "; "); }

TEST(Hostile, G22_S11_K21_each_function_is_refused_or_denied_or_its_pod_is_restricted) {
  const std::vector<Json> rows = tables::Read("hostile_functions.yaml");
  ASSERT_GE(rows.size(), 40u);
  for (const Json& row : rows) {
    spec::Function function = Read(row);
    if (row.contains("refused")) {
      EXPECT_TRUE(absl::StrContains(Told(function), row["refused"].get<std::string>()))
          << row["name"] << ": " << Told(function);
      continue;
    }
    EXPECT_EQ(Told(function), "") << row["name"];
    spec::CheckGrants(Administrators(), &function);
    if (row.contains("denied")) {
      EXPECT_TRUE(absl::StrContains(Told(function), row["denied"].get<std::string>()))
          << row["name"] << ": " << Told(function);
      continue;
    }
    EXPECT_EQ(Told(function), "") << row["name"];
    const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
    EXPECT_EQ(AgainstRestricted(pod), std::vector<std::string>()) << row["name"];
  }
}

TEST(Hostile, G22_K21_every_pod_of_a_valid_function_is_restricted) {
  int pods = 0;
  for (const Json& row : tables::Read("functions.yaml")) {
    const spec::Function function = Read(row);
    if (!function.errors.empty()) continue;
    const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
    EXPECT_EQ(AgainstRestricted(pod), std::vector<std::string>()) << row["name"];
    ++pods;
  }
  EXPECT_GE(pods, 25);
}

// Or the relay would send its own key to the server, as a path.
TEST(Hostile, S11_a_functions_words_are_not_looked_up_in_the_relays_environment) {
  spec::Function function;
  function.spec.ready_path = "/$(WSF_RELAY_KEY)";
  const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
  const Json& arguments = pod["spec"]["containers"][0]["args"];
  EXPECT_EQ(arguments.back(), "--ready-path=/$$(WSF_RELAY_KEY)");
}

TEST(Hostile, what_is_against_restricted_is_found) {
  spec::Function function;
  const Json good = MakePod(function, "f-1-0", "f-1", PodTemplate());
  ASSERT_EQ(AgainstRestricted(good), std::vector<std::string>());
  const auto finds = [&](const char* pointer, const Json& value) {
    Json pod = good;
    pod[Json::json_pointer(pointer)] = value;
    return !AgainstRestricted(pod).empty();
  };
  EXPECT_TRUE(finds("/spec/hostNetwork", true));
  EXPECT_TRUE(finds("/spec/volumes/0", {{"name", "v"}, {"hostPath", {{"path", "/"}}}}));
  EXPECT_TRUE(finds("/spec/initContainers/0/securityContext/privileged", true));
  EXPECT_TRUE(finds("/spec/initContainers/0/securityContext/runAsUser", 0));
  EXPECT_TRUE(finds("/spec/initContainers/0/securityContext/capabilities/add", {"SYS_ADMIN"}));
  EXPECT_TRUE(finds("/spec/containers/0/securityContext", Json::object()));
  EXPECT_TRUE(finds("/spec/containers/0/ports/0/hostPort", 80));
}

}  // namespace
}  // namespace wsf::instances
