// SPDX-License-Identifier: Apache-2.0
#include "operator/status/hosts.h"

#include <gtest/gtest.h>

namespace wsf::status {
namespace {

using Keys = std::set<std::string>;
using Lost = std::map<std::string, std::string>;

spec::Function Claiming(const std::string& name, const std::string& created,
                        std::vector<std::string> hosts) {
  spec::Function function;
  function.ns = "demo";
  function.name = name;
  function.uid = "uid-" + name;
  function.created = created;
  function.spec.hosts = std::move(hosts);
  return function;
}

constexpr char kOld[] = "2026-01-01T00:00:00Z";
constexpr char kNew[] = "2026-01-02T00:00:00Z";

TEST(Hosts, K11_a_host_belongs_to_the_older_function_whichever_is_seen_first) {
  for (const bool old_first : {true, false}) {
    Hosts hosts;
    const auto old = Claiming("old", kOld, {"a.example"});
    const auto young = Claiming("young", kNew, {"a.example", "b.example"});
    hosts.OnFunction(old_first ? old : young);
    EXPECT_EQ(hosts.OnFunction(old_first ? young : old),
              Keys{old_first ? "demo/old" : "demo/young"});
    EXPECT_EQ(hosts.LostBy("demo/old"), Lost());
    EXPECT_EQ(hosts.LostBy("demo/young"), (Lost{{"a.example", "demo/old"}}));
  }
}

TEST(Hosts, K11_of_two_of_the_same_second_the_smaller_uid_has_it) {
  Hosts hosts;
  hosts.OnFunction(Claiming("b", kOld, {"a.example"}));
  hosts.OnFunction(Claiming("a", kOld, {"a.example"}));
  EXPECT_EQ(hosts.LostBy("demo/b"), (Lost{{"a.example", "demo/a"}}));
  EXPECT_EQ(hosts.LostBy("demo/a"), Lost());
}

TEST(Hosts, K11_the_younger_gets_it_when_the_older_goes_or_gives_it_up) {
  for (const bool goes : {true, false}) {
    Hosts hosts;
    hosts.OnFunction(Claiming("old", kOld, {"a.example"}));
    hosts.OnFunction(Claiming("young", kNew, {"a.example"}));
    const Keys touched =
        goes ? hosts.OnFunctionGone("demo/old") : hosts.OnFunction(Claiming("old", kOld, {}));
    EXPECT_EQ(touched, Keys{"demo/young"});
    EXPECT_EQ(hosts.LostBy("demo/young"), Lost());
  }
}

TEST(Hosts, K11_functions_without_hosts_touch_nobody) {
  Hosts hosts;
  EXPECT_EQ(hosts.OnFunction(Claiming("a", kOld, {})), Keys());
  EXPECT_EQ(hosts.OnFunctionGone("demo/unknown"), Keys());
  EXPECT_EQ(hosts.LostBy("demo/a"), Lost());
}

}  // namespace
}  // namespace wsf::status
