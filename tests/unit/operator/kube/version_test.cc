// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/version.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace wsf::kube {
namespace {

Json Version(const char* major, const char* minor, const char* name) {
  return {{"major", major}, {"minor", minor}, {"gitVersion", name}};
}

TEST(Version, K51_from_1_29_on_all_is_well) {
  EXPECT_EQ(AgainstVersion(Version("1", "29", "v1.29.0")), "");
  EXPECT_EQ(AgainstVersion(Version("1", "30+", "v1.30.4-eks-1")), "");
  EXPECT_EQ(AgainstVersion(Version("1", "134", "v1.134.0")), "");
  EXPECT_EQ(AgainstVersion(Version("2", "0", "v2.0.0")), "");
}

TEST(Version, K51_of_an_older_one_is_told_why) {
  const std::string told = AgainstVersion(Version("1", "28", "v1.28.15"));
  EXPECT_TRUE(absl::StrContains(told, "v1.28.15")) << told;
  EXPECT_TRUE(absl::StrContains(told, "1.29")) << told;
  EXPECT_NE(AgainstVersion(Json::object()), "");
  EXPECT_NE(AgainstVersion(Json("forbidden")), "");
}

}  // namespace
}  // namespace wsf::kube
