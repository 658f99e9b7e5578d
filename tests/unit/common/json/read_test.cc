// SPDX-License-Identifier: Apache-2.0
#include "common/json/read.h"

#include <gtest/gtest.h>

#include <limits>

namespace wsf::json {
namespace {

const Json kPod =
    Json::parse(R"({"metadata": {"name": "a", "labels": {"x": "1"}, "items": ["b", 2]},
                                  "spec": {"port": 9000, "on": true}})");
// One of each type that JSON has.
const Json kAll = Json::parse(R"([null, true, 3, -3, 18446744073709551615, 0.5, "text", [1], {}])");

TEST(ReadJson, LeadsToAMemberOfAMember) {
  EXPECT_EQ(Text(kPod, "metadata", "labels", "x"), "1");
  EXPECT_EQ(Number(kPod, "spec", "port"), 9000);
  EXPECT_TRUE(Flag(kPod, "spec", "on"));
  EXPECT_EQ(Items(kPod, "metadata", "items").size(), 2u);
  EXPECT_EQ(Texts(kPod, "metadata", "items"), std::vector<std::string>{"b"});
  EXPECT_EQ(Members(kPod, "metadata", "labels").size(), 1u);
}

TEST(ReadJson, S19_WhatIsMissingOrOfAnotherTypeIsNothing) {
  for (const Json& odd : kAll) {
    for (const Json& object : {odd, Json{{"a", odd}}, Json{{"a", {{"b", odd}}}}}) {
      EXPECT_TRUE(At(object, "a", "b", "c").is_null()) << object;
      EXPECT_EQ(Text(object, "a", "b", "c"), "") << object;
      EXPECT_EQ(TextOr("f", object, "x", "y"), "f") << object;
      EXPECT_EQ(NumberOr(7, object, "a", "b", "c"), 7) << object;
      EXPECT_FALSE(Flag(object, "a", "b", "c")) << object;
      EXPECT_TRUE(Items(object, "a", "b", "c").is_array()) << object;
      EXPECT_TRUE(Members(object, "a", "b", "c").is_object()) << object;
      EXPECT_TRUE(Texts(object, "a", "b", "c").empty()) << object;
    }
    EXPECT_EQ(AsText(odd, "f"), odd == "text" ? "text" : "f") << odd;
    EXPECT_EQ(AsFlag(odd), odd == true) << odd;
    EXPECT_EQ(AsItems(odd).size(), odd.is_array() ? 1u : 0u) << odd;
    EXPECT_TRUE(AsMembers(odd).empty()) << odd;
  }
}

TEST(ReadJson, LooksUpAPathOfNamesAndIndices) {
  EXPECT_EQ(Lookup(kPod, "/metadata/items/1"), 2);
  EXPECT_EQ(Lookup(kPod, "/metadata/labels/x"), "1");
  EXPECT_EQ(Lookup(kPod, ""), kPod);
  for (const char* path :
       {"/metadata/items/2", "/metadata/items/x", "/metadata/items/", "/spec/port/0",
        "/metadata/items/-1", "/~", "//", "/metadata/labels['x']"}) {
    EXPECT_TRUE(Lookup(kPod, path).is_null()) << path;
  }
}

TEST(ReadJson, S19_ANumberIsAnIntegerThatFits) {
  EXPECT_EQ(AsNumber(Json(-3), 1), -3);
  EXPECT_EQ(AsNumber(Json(0.5), 1), 1);
  EXPECT_EQ(AsNumber(Json("3"), 1), 1);
  EXPECT_EQ(AsNumber(Json(18446744073709551615u), 1), 1);
  const auto greatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(AsNumber(Json(static_cast<std::uint64_t>(greatest)), 1), greatest);
}

TEST(ReadJson, S19_a_whole_number_may_have_a_point) {
  EXPECT_EQ(AsWhole(Json(9000.0)), 9000);
  EXPECT_EQ(AsWhole(Json(-7)), -7);
  for (const Json& other :
       {Json(0.5), Json(1e300), Json("1"), Json(), Json(18446744073709551615u)}) {
    EXPECT_EQ(AsWhole(other), std::nullopt) << other;
  }
}

TEST(ReadJson, S19_what_is_nested_too_deep_is_no_json) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Parse(nested(200)));
  EXPECT_FALSE(Parse(nested(201)));
  EXPECT_FALSE(Parse(std::string(1 << 20, '[')));
  const std::string text = R"({"a": "\\\"[[[)" + std::string(300, '[') + R"(", "b": [1]})";
  EXPECT_EQ(json::Items(*Parse(text), "b").size(), 1u);
  EXPECT_FALSE(Parse("{"));
}

}  // namespace
}  // namespace wsf::json
