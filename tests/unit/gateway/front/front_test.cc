// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/front/forward.h"
#include "gateway/front/loopback_rule.h"

namespace wsf::front {
namespace {

http::RequestHead Head(const std::string& more) {
  return *http::ParseRequestHead("GET /ns/f/x HTTP/1.1\r\nHost: localhost:80\r\n" + more + "\r\n");
}

door::Client Client() {
  door::Client client;
  client.ip = client.peer_ip = "10.0.0.9";
  return client;
}

TEST(ForwardHead, S5_SaysThePlatformsFieldsOnceAndDropsTheClients) {
  v1::Route route;
  route.mutable_function()->set_namespace_("ns");
  route.mutable_function()->set_name("f");
  route.mutable_settings()->set_execution_timeout_seconds(60);
  const route::Match match = {std::make_shared<const v1::Route>(route), "/x", "/ns/f"};
  v1::Free instance;
  instance.set_claim_token("secret");
  instance.set_revision("f-1");
  const std::string text =
      ForwardHead(Head("X_Wsf_Claim: forged\r\nx-forwarded-for: 6.6.6.6\r\nA: 1\r\nB: 2\r\na: 3\r\n"
                       "Connection: Upgrade, A-Hop\r\nA-Hop: x\r\n"),
                  match, Client(), "id-1", instance, 1'700'000'000'000'000);
  const http::RequestHead head = *http::ParseRequestHead(text);
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.fields.Count("X-Wsf-Claim"), 1u);
  EXPECT_EQ(*head.fields.Find("X-Wsf-Claim"), "secret");
  EXPECT_EQ(head.fields.Count("X_Wsf_Claim"), 0u);
  EXPECT_EQ(*head.fields.Find("X-Forwarded-For"), "10.0.0.9");
  EXPECT_EQ(head.fields.Count("X-Forwarded-For"), 1u);
  EXPECT_EQ(*head.fields.Find("X-Forwarded-Prefix"), "/ns/f");
  EXPECT_EQ(*head.fields.Find("X-Wsf-Deadline"), "2023-11-14T22:14:20.000000Z");
  EXPECT_EQ(*head.fields.Find("Connection"), "Upgrade");
  EXPECT_EQ(head.fields.Count("A-Hop"), 0u);
  EXPECT_EQ(head.fields.Count("A"), 2u);  // duplicates pass, S0-06
}

TEST(ForwardHead, D46_S5_WhatSaysWhereARequestComesFromIsNotTheClientsToSay) {
  v1::Route route;
  route.mutable_function()->set_namespace_("ns");
  route.mutable_function()->set_name("f");
  const route::Match match = {std::make_shared<const v1::Route>(route), "/x", ""};
  const std::string text = ForwardHead(
      Head("X_Forwarded_For: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
           "X-Forwarded-Port: 1\r\nX-FORWARDED-SSL: on\r\nX_Forwarded-Scheme: https\r\n"
           "X_Real_IP: 6.6.6.6\r\nX-Forwarde: kept\r\nForwarded-By: kept\r\n"),
      match, Client(), "id-1", v1::Free(), 0);
  EXPECT_EQ(text.find("6.6.6.6"), std::string::npos) << text;
  for (const char* dropped : {"Port", "SSL", "Scheme", "Real"}) {
    EXPECT_EQ(text.find(dropped), std::string::npos) << dropped;
  }
  EXPECT_NE(text.find("X-Forwarde: kept"), std::string::npos);
  EXPECT_NE(text.find("Forwarded-By: kept"), std::string::npos);
}

TEST(CheckExposure, U10_OnlyLoopbackNamesAndPagesReachADevFunction) {
  const Exposure loopback = {Exposure::Names::kLoopbackOnly, {"https://ok.example"}};
  const auto status = [&](const std::string& text) {
    const auto refusal = CheckExposure(loopback, *http::ParseRequestHead(text));
    return refusal ? refusal->http_status : 0;
  };
  const std::string start = "GET / HTTP/1.1\r\nHost: ";
  EXPECT_EQ(status(start + "localhost:8080\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "127.0.0.1\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "[::1]:80\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "LocalHost.\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "app.localhost.:80\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "evil.example\r\n\r\n"), 421);
  for (const char* odd :
       {"localhost:80@evil", "localhost:1,evil", "[::1]evil", "[::1", "127.1.evil"}) {
    EXPECT_EQ(status(start + odd + "\r\n\r\n"), 421) << odd;
  }
  EXPECT_EQ(status(start + "localhost.evil.example\r\n\r\n"), 421);
  EXPECT_EQ(status(start + "localhost\r\nOrigin: http://localhost:3000\r\n\r\n"), 0);
  EXPECT_EQ(status(start + "localhost\r\nOrigin: https://evil.example\r\n\r\n"), 403);
  EXPECT_EQ(status(start + "localhost\r\nOrigin: null\r\n\r\n"), 403);
  EXPECT_EQ(status(start + "localhost\r\nOrigin: https://ok.example\r\n\r\n"), 0);
}

}  // namespace
}  // namespace wsf::front
