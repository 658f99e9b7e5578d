// SPDX-License-Identifier: Apache-2.0
#include "common/http/handshake.h"

#include <gtest/gtest.h>

#include <string>

#include "common/http/body_end.h"

namespace wsf::http {
namespace {

constexpr char kKey[] = "dGhlIHNhbXBsZSBub25jZQ==";  // of RFC 6455 1.3

std::string Upgrade(const std::string& more = "") {
  return std::string("GET /a?b=c HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n") +
         "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
         kKey + "\r\n" + more + "\r\n";
}

std::string Replace(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

// The status a head is refused with; 101 when it passes.
int StatusOf(const std::string& text) {
  const absl::StatusOr<RequestHead> head = ParseRequestHead(text);
  if (!head.ok()) return 400;
  const auto refusal = CheckHandshake(*head);
  return refusal ? refusal->http_status : 101;
}

TEST(CheckHandshake, LetsAnOrdinaryOnePass) {
  EXPECT_EQ(StatusOf(Upgrade()), 101);
  EXPECT_EQ(StatusOf(Upgrade("Origin: https://x\r\nCookie: a=b\r\n")), 101);
}

TEST(CheckHandshake, A19_TheVersionIsTheServersToJudge) {
  EXPECT_EQ(StatusOf(Replace(Upgrade(), "Version: 13", "Version: 8")), 101);
}

TEST(CheckHandshake, H01_WhatIsNoUpgradeIsToldSo) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 426);
  EXPECT_EQ(StatusOf(Replace(Upgrade(), "Upgrade: websocket", "Upgrade: h2c")), 426);
}

TEST(CheckHandshake, H23_TooManyFields) {
  std::string many;
  for (int i = 0; i < 101; ++i) many += "A" + std::to_string(i) + ": b\r\n";
  EXPECT_EQ(StatusOf(Upgrade(many)), 431);
}

TEST(CheckHandshake, H29_ATargetOver8KiB) {
  EXPECT_EQ(StatusOf(Replace(Upgrade(), "/a?b=c", "/" + std::string(8192, 'a'))), 414);
}

struct Malformed {
  const char* name;
  const char* what;
  const char* with;
};

class MalformedHandshake : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedHandshake, H29_Is400) {
  EXPECT_EQ(StatusOf(Replace(Upgrade(), GetParam().what, GetParam().with)), 400);
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, MalformedHandshake,
    testing::Values(Malformed{"post", "GET", "POST"}, Malformed{"http10", "HTTP/1.1", "HTTP/1.0"},
                    Malformed{"http2", "HTTP/1.1", "HTTP/2.0"},
                    Malformed{"noHost", "Host: h\r\n", ""},
                    Malformed{"twoHosts", "Host: h\r\n", "Host: h\r\nHost: i\r\n"},
                    Malformed{"emptyHost", "Host: h", "Host:"},
                    Malformed{"contentLength", "Host: h\r\n", "Host: h\r\nContent-Length: 1\r\n"},
                    Malformed{"chunked", "Host: h\r\n",
                              "Host: h\r\nTransfer-Encoding: chunked\r\n"},
                    Malformed{"folded", "Host: h\r\n", "Host: h\r\nA: b\r\n c\r\n"},
                    Malformed{"bareLf", "Host: h\r\n", "Host: h\nA: b\r\n"},
                    Malformed{"spaceBeforeColon", "Host: h", "Host : h"},
                    Malformed{"twoUpgrades", "Host: h\r\n", "Host: h\r\nUpgrade: websocket\r\n"},
                    Malformed{"connectionWithoutUpgrade", "keep-alive, Upgrade", "keep-alive"},
                    Malformed{"noVersion", "Sec-WebSocket-Version: 13\r\n", ""},
                    Malformed{"versionNoNumber", "Version: 13", "Version: x"},
                    Malformed{"shortKey", kKey, "dGhlIHNhbXBsZQ=="},
                    Malformed{"keyNoBase64", kKey, "************************"},
                    Malformed{"noKey", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""},
                    Malformed{"absoluteTarget", "/a?b=c", "http://h/a"},
                    Malformed{"asteriskTarget", "/a?b=c", "*"}),
    [](const auto& row) { return std::string(row.param.name); });

AnswerHead Answer(const std::string& more = "") {
  return *ParseAnswerHead(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      AcceptFor(kKey) + "\r\n" + more + "\r\n");
}

TEST(CheckSwitchingProtocols, KnowsTheAcceptOfTheRfc) {
  EXPECT_EQ(AcceptFor(kKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(CheckSwitchingProtocols, H19_JudgesByWhatWasOffered) {
  const Offer offer = OfferOf(*ParseRequestHead(
      Upgrade("Sec-WebSocket-Protocol: chat, superchat\r\n"
              "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")));
  EXPECT_TRUE(CheckSwitchingProtocols(Answer(), offer).ok());
  EXPECT_TRUE(CheckSwitchingProtocols(Answer("Sec-WebSocket-Protocol: superchat\r\n"), offer).ok());
  EXPECT_TRUE(CheckSwitchingProtocols(
                  Answer("Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n"), offer)
                  .ok());
  for (const char* bad : {"Sec-WebSocket-Protocol: other\r\n", "Sec-WebSocket-Extensions: foo\r\n",
                          "Content-Length: 5\r\n", "Content-Length: 0\r\nContent-Length: 0\r\n",
                          "Transfer-Encoding: chunked\r\n", "Upgrade: websocket\r\n"}) {
    EXPECT_FALSE(CheckSwitchingProtocols(Answer(bad), offer).ok()) << bad;
  }
  EXPECT_FALSE(CheckSwitchingProtocols(Answer(), Offer{"another key", {}, {}}).ok());
}

TEST(CheckSwitchingProtocols, H19_ABodyOfNoBytesIsNone) {
  const Offer offer = OfferOf(*ParseRequestHead(Upgrade()));
  EXPECT_TRUE(CheckSwitchingProtocols(Answer("Content-Length: 0\r\n"), offer).ok());
}

TEST(ParseHeads, H29_H19_AreAsLiberalAsTheRfc) {
  EXPECT_EQ(StatusOf("\r\n" + Upgrade()), 101);
  EXPECT_EQ(StatusOf("\r\n\r\n" + Upgrade()), 400);
  for (const char* line : {"HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 x"}) {
    const auto head = ParseAnswerHead(std::string(line) + "\r\n\r\n");
    ASSERT_TRUE(head.ok()) << line;
    EXPECT_EQ(head->status, 101);
  }
  for (const char* line : {"HTTP/1.1 10", "HTTP/1.1 1011", "HTTP/1.1101", "HTTP/1.1 101\t"}) {
    EXPECT_FALSE(ParseAnswerHead(std::string(line) + "\r\n\r\n").ok()) << line;
  }
}

TEST(Fields, List_KeepsWhatIsQuoted) {
  Fields fields;
  fields.Add("A", R"(one; x="a, b", two ,, "three\", still")");
  fields.Add("a", R"("open, end)");
  const auto list = fields.List("A");
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0], R"(one; x="a, b")");
  EXPECT_EQ(list[1], "two");
  EXPECT_EQ(list[2], R"("three\", still")");
  EXPECT_EQ(list[3], R"("open, end)");
}

TEST(AllowedRsv, S0_08_DependsOnTheAcceptedExtensions) {
  EXPECT_EQ(AllowedRsv(Answer()), 0);
  EXPECT_EQ(AllowedRsv(Answer("Sec-WebSocket-Extensions: permessage-deflate\r\n")), 0x40);
  EXPECT_EQ(AllowedRsv(Answer("Sec-WebSocket-Extensions: other\r\n")), 0x70);
}

TEST(DropHopByHop, DropsWhatConnectionNames) {
  Fields fields =
      ParseRequestHead(Upgrade("TE: x\r\nProxy-Foo: x\r\nKeep-Alive: 5\r\nStay: 1\r\n"))->fields;
  DropHopByHop(&fields);
  EXPECT_EQ(fields.Count("Connection") + fields.Count("TE") + fields.Count("Proxy-Foo") +
                fields.Count("Keep-Alive"),
            0u);
  EXPECT_EQ(fields.Count("Stay"), 1u);
  EXPECT_EQ(fields.Count("Upgrade"), 1u);
}

TEST(IsPlatformField, S5_KnowsUnderscoresAndCases) {
  EXPECT_TRUE(IsPlatformField("X-Wsf-Claim"));
  EXPECT_TRUE(IsPlatformField("x_WSF_claim"));
  EXPECT_FALSE(IsPlatformField("X-Wsfoo"));
}

TEST(BodyEnd, H17_FindsTheEndByLengthAndByChunks) {
  BodyEnd length;
  EXPECT_EQ(length.Take("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\n"), 45u);
  EXPECT_FALSE(length.done());
  EXPECT_EQ(length.Take("abcdef"), 3u);
  EXPECT_TRUE(length.done());
  BodyEnd chunks;
  chunks.Take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_FALSE(chunks.done());
  chunks.Take("3\r\nabc\r\n");
  chunks.Take("0\r\n\r\n");
  EXPECT_TRUE(chunks.done());
}

TEST(BodyEnd, H17_ABodyWithoutLengthEndsWithTheConnection) {
  BodyEnd end;
  end.Take("HTTP/1.1 200 OK\r\n\r\n");
  end.Take(std::string(100000, 'x'));
  EXPECT_FALSE(end.done());
}

}  // namespace
}  // namespace wsf::http
