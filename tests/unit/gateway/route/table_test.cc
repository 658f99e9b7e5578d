// SPDX-License-Identifier: Apache-2.0
#include "gateway/route/table.h"

#include <gtest/gtest.h>

namespace wsf::route {
namespace {

v1::Route MakeRoute(const std::string& ns, const std::string& name, const std::string& host = "") {
  v1::Route route;
  route.mutable_function()->set_namespace_(ns);
  route.mutable_function()->set_name(name);
  if (!host.empty()) route.add_hosts(host);
  return route;
}

TEST(Table, A18_APrefixRouteStripsExactlyItsPrefix) {
  Table table("");
  table.Set(MakeRoute("demo", "echo"));
  const auto match = table.Resolve("any", "/demo/echo/a/b?x=%20&y=");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->target, "/a/b?x=%20&y=");
  EXPECT_EQ(match->prefix, "/demo/echo");
  EXPECT_EQ(table.Resolve("any", "/demo/echo")->target, "/");
  EXPECT_EQ(table.Resolve("any", "/demo/echo?q")->target, "/?q");
  EXPECT_FALSE(table.Resolve("any", "/demo/echos"));
  EXPECT_FALSE(table.Resolve("any", "/demo"));
}

TEST(Table, A18_AHostRouteKeepsThePath) {
  Table table("");
  table.Set(MakeRoute("demo", "chat", "Chat.example.com"));
  const auto match = table.Resolve("chat.example.COM:443", "/demo/x");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->target, "/demo/x");
  EXPECT_EQ(match->prefix, "");
}

TEST(Table, K11_AHostThatChangesHandsLeadsToWhoHasIt) {
  Table table("");
  table.Set(MakeRoute("a", "old", "x.example.com"));
  table.Set(MakeRoute("b", "young", "x.example.com"));
  EXPECT_EQ(table.Resolve("x.example.com", "/")->route->function().name(), "old");
  table.Remove("a/old");
  EXPECT_EQ(table.Resolve("x.example.com", "/")->route->function().name(), "young");
  table.Set(MakeRoute("b", "young"));
  EXPECT_FALSE(table.Resolve("x.example.com", "/"));
}

TEST(Table, AHostGoesWithItsFunctionAfterASnapshot) {
  Table table("");
  table.Set(MakeRoute("a", "old", "x.example.com"));
  table.MarkAll();
  table.DropMarked();
  EXPECT_FALSE(table.Resolve("x.example.com", "/"));
}

TEST(Table, U10_TheDefaultFunctionIsServedWhereNothingElseFits) {
  Table table("default/dev");
  table.Set(MakeRoute("default", "dev"));
  EXPECT_EQ(table.Resolve("localhost", "/a?b")->target, "/a?b");
  EXPECT_EQ(table.Resolve("localhost", "/default/dev/a")->target, "/a");
}

TEST(Table, WhatIsNotNamedAgainAfterASnapshotIsDropped) {
  Table table("");
  table.Set(MakeRoute("a", "old"));
  table.Set(MakeRoute("a", "kept"));
  table.MarkAll();
  table.Set(MakeRoute("a", "kept"));
  table.DropMarked();
  EXPECT_EQ(table.Find("a/old"), nullptr);
  EXPECT_NE(table.Find("a/kept"), nullptr);
}

TEST(Table, D07_WhatAHandshakeResolvedOutlivesTheFunction) {
  Table table("");
  table.Set(MakeRoute("demo", "echo"));
  const auto match = table.Resolve("any", "/demo/echo");
  table.Remove("demo/echo");
  EXPECT_EQ(match->route->function().name(), "echo");
  EXPECT_EQ(table.Find("demo/echo"), nullptr);
}

}  // namespace
}  // namespace wsf::route
