// SPDX-License-Identifier: Apache-2.0
#include "common/http/authority.h"

#include <gtest/gtest.h>

namespace wsf::http {
namespace {

std::string Read(std::string_view text) {
  const auto authority = ParseAuthority(text);
  return authority ? authority->host + "|" + authority->port : "none";
}

TEST(Authority, HasOneForm) {
  EXPECT_EQ(Read("Example.COM"), "example.com|");
  EXPECT_EQ(Read("example.com.:8080"), "example.com|8080");
  EXPECT_EQ(Read("10.0.0.1:80"), "10.0.0.1|80");
  EXPECT_EQ(Read("[::1]"), "::1|");
  EXPECT_EQ(Read("[FE80::1]:443"), "fe80::1|443");
  EXPECT_EQ(Read("a_b.example"), "a_b.example|");
  EXPECT_EQ(Read("a:"), "a|");
}

TEST(Authority, D52_H29_WhatIsNoHostIsNone) {
  for (const char* odd :
       {"",       ":80",       "a b", "a\"b", "a<b>",          "a\x01",    "a\x80", "a/b",
        "a?b",    "a#b",       "a@b", "a:b",  "a:80:80",       "a:999999", "[::1",  "::1",
        "[::1]x", "[1.2.3.4]", "[]",  "a\tb", "[::1]:80@evil", "a{b}"}) {
    EXPECT_EQ(Read(odd), "none") << odd;
  }
}

TEST(PathOfTarget, H29_AnAbsoluteUrlOfTheSameHostIsAPath) {
  const auto path = [](std::string_view target, std::string_view host) {
    return PathOfTarget(target, host).value_or("none");
  };
  EXPECT_EQ(path("/a?b", "x"), "/a?b");
  EXPECT_EQ(path("//a", "x"), "//a");
  EXPECT_EQ(path("http://x/a?b", "x"), "/a?b");
  EXPECT_EQ(path("WSS://X.:443/a", "x:443"), "/a");
  EXPECT_EQ(path("ws://x", "x"), "/");
  EXPECT_EQ(path("ws://x?b=/", "x"), "/?b=/");
  EXPECT_EQ(path("ws://[::1]:80/a", "[::1]:80"), "/a");
  EXPECT_EQ(path("ws://y/a", "x"), "none");
  EXPECT_EQ(path("ws://x:81/a", "x:80"), "none");
  EXPECT_EQ(path("ws://u@x/a", "x"), "none");
  EXPECT_EQ(path("ftp://x/a", "x"), "none");
  EXPECT_EQ(path("ws:///a", "x"), "none");
  EXPECT_EQ(path("*", "x"), "none");
  EXPECT_EQ(path("x:80", "x:80"), "none");
  EXPECT_EQ(path("", "x"), "none");
}

}  // namespace
}  // namespace wsf::http
