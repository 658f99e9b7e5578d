// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/ids.h"
#include "common/net/admission.h"
#include "gateway/door/memory.h"
#include "gateway/door/proxy_protocol.h"
#include "gateway/door/trusted.h"

namespace wsf::door {
namespace {

const std::string kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);

std::string Version2(int command, int family, const std::string& addresses) {
  std::string header = kSignature2;
  header += static_cast<char>(0x20 | command);
  header += static_cast<char>(family);
  header += static_cast<char>(addresses.size() >> 8);
  header += static_cast<char>(addresses.size());
  return header + addresses;
}

struct Row {
  const char* name;
  std::string header;
  std::string client_ip;
};

class ProxyHeaders : public testing::TestWithParam<Row> {};

TEST_P(ProxyHeaders, AreReadHoweverTheyAreCutAndTakeNothingBehindThem) {
  const std::string& header = GetParam().header;
  for (std::size_t n = 0; n < header.size(); ++n) {
    const auto cut = ReadProxyHeader(header.substr(0, n));
    ASSERT_TRUE(cut.ok()) << n << cut.status();
    EXPECT_FALSE(*cut) << n;
  }
  const auto whole = ReadProxyHeader(header + "GET / HTTP/1.1\r\n");
  ASSERT_TRUE(whole.ok() && *whole);
  EXPECT_EQ((*whole)->size, header.size());
  EXPECT_EQ((*whole)->client_ip, GetParam().client_ip);
}

INSTANTIATE_TEST_SUITE_P(
    Both, ProxyHeaders,
    testing::Values(
        Row{"v1", "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n", "192.0.2.7"},
        Row{"v1of6", "PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "2001:db8::7"},
        Row{"v1unknown", "PROXY UNKNOWN\r\n", ""},
        Row{"v2", Version2(1, 0x11, std::string("\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50", 12)),
            "192.0.2.7"},
        Row{"v2of6",
            Version2(1, 0x21,
                     "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x07" + std::string(20, '\0')),
            "2001:db8::7"},
        Row{"v2withMore",
            Version2(1, 0x11,
                     std::string("\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50\x04\0\x01x", 16)),
            "192.0.2.7"},
        Row{"v2local", Version2(0, 0, ""), ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ProxyHeaderTest, WhatIsNoneIsRefused) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("PROXY TCP4 not-an-address x 1 2\r\n"),
        std::string("PROXY TCP6 192.0.2.7 ::1 1 2\r\n"), std::string("PROXY TCP4 1.2.3.4\r\n"),
        "PROXY " + std::string(200, 'x'), Version2(2, 0x11, ""),
        kSignature2 + std::string("\x11\x11\0\0", 4), Version2(1, 0x11, std::string(4000, 'x'))}) {
    EXPECT_FALSE(ReadProxyHeader(bytes).ok()) << bytes.substr(0, 30);
  }
}

TEST(TrustedTest, HoldsNetworksAndSingleAddressesOfBothFamilies) {
  const Trusted trusted = *Trusted::Parse("10.0.0.0/8, 192.0.2.7 ,fd00::/8");
  for (const char* ip : {"10.1.2.3", "192.0.2.7", "fd12::1", "::ffff:10.0.0.9"}) {
    EXPECT_TRUE(trusted.Contains(ip)) << ip;
  }
  for (const char* ip : {"11.0.0.1", "192.0.2.8", "2001:db8::1", "", "x"}) {
    EXPECT_FALSE(trusted.Contains(ip)) << ip;
  }
  EXPECT_FALSE(Trusted::Parse("10.0.0.0/33").ok());
  EXPECT_FALSE(Trusted::Parse("balancer").ok());
  EXPECT_FALSE(Trusted::Parse("")->Contains("127.0.0.1"));
}

http::Fields Fields(std::initializer_list<std::pair<const char*, const char*>> fields) {
  http::Fields result;
  for (const auto& [name, value] : fields) result.Add(name, value);
  return result;
}

TEST(TrustedTest, S5_OnlyTheWordOfATrustedProxyIsTaken) {
  const Trusted trusted = *Trusted::Parse("10.0.0.0/8");
  const http::Fields fields = Fields({{"X-Forwarded-For", "6.6.6.6, 192.0.2.7"},
                                      {"X-Forwarded-For", "10.0.0.5"},
                                      {"X-Forwarded-Proto", "https"},
                                      {"X-Forwarded-Host", "shop.example"}});
  Client peer;
  peer.ip = peer.peer_ip = "203.0.113.1";
  EXPECT_EQ(trusted.Behind(peer, fields).ip, "203.0.113.1");
  EXPECT_EQ(trusted.Behind(peer, fields).forwarded_for, "");
  peer.ip = peer.peer_ip = "10.0.0.9";
  const Client client = trusted.Behind(peer, fields);
  EXPECT_EQ(client.ip, "192.0.2.7");  // the nearest that is not trusted; what it claims is its own
  EXPECT_EQ(client.proto, "https");
  EXPECT_EQ(client.forwarded_host, "shop.example");
  EXPECT_EQ(client.forwarded_for, "6.6.6.6, 192.0.2.7, 10.0.0.5");
}

TEST(TrustedTest, NonsenseInTheChainEndsIt) {
  const Trusted trusted = *Trusted::Parse("10.0.0.0/8");
  Client peer;
  peer.ip = "10.0.0.9";
  EXPECT_EQ(trusted.Behind(peer, Fields({{"X-Forwarded-For", "1.2.3.4, unknown"}})).ip, "10.0.0.9");
}

TEST(TrustedTest, S5_AProxysWordIsUnderstoodAsProxiesWriteIt) {
  const Trusted trusted = *Trusted::Parse("10.0.0.0/8");
  Client peer;
  peer.ip = peer.peer_ip = "10.0.0.9";
  const auto client_of = [&](const char* chain) {
    return trusted.Behind(peer, Fields({{"X-Forwarded-For", chain}})).ip;
  };
  EXPECT_EQ(client_of("192.0.2.7:1234"), "192.0.2.7");
  EXPECT_EQ(client_of("[2001:db8::1]:1234"), "2001:db8::1");
  EXPECT_EQ(client_of("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(client_of("2001:db8::1, ::ffff:10.0.0.5"), "2001:db8::1");
  EXPECT_EQ(client_of("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(client_of("\", 192.0.2.7"), "192.0.2.7") << "a client's quote hides nothing";
  const auto proto_of = [&](const char* proto) {
    return trusted.Behind(peer, Fields({{"X-Forwarded-Proto", proto}})).proto;
  };
  for (const char* secure : {"wss", "HTTPS", "https,http", "Wss, http"}) {
    EXPECT_EQ(proto_of(secure), "https") << secure;
  }
  for (const char* plain : {"ws", "HTTP", "gopher", "", ","}) EXPECT_EQ(proto_of(plain), "http");
}

TEST(AdmissionTest, D47_S1_AddressesThatOneSiteMayTakeAreOneSource) {
  EXPECT_EQ(net::SourceOf("2001:db8:0:1::1"), net::SourceOf("2001:db8:0:1:ffff::2"));
  EXPECT_NE(net::SourceOf("2001:db8:0:1::1"), net::SourceOf("2001:db8:0:2::1"));
  EXPECT_EQ(net::SourceOf("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_NE(net::SourceOf("192.0.2.7"), net::SourceOf("192.0.2.8"));
  net::Admission admission({10, 1});
  const auto one = admission.EnterFrom("2001:db8::1");
  EXPECT_EQ(admission.EnterFrom("2001:db8::2"), nullptr);
}

TEST(AdmissionTest, S1_PlacesAreGivenBackWithTheConnection) {
  net::Admission admission({3, 2});
  auto first = admission.Enter();
  const auto second = admission.Enter();
  const auto third = admission.Enter();
  EXPECT_EQ(admission.Enter(), nullptr);
  first.reset();
  EXPECT_NE(admission.Enter(), nullptr);
  auto one = admission.EnterFrom("a");
  const auto two = admission.EnterFrom("a");
  EXPECT_EQ(admission.EnterFrom("a"), nullptr);
  EXPECT_NE(admission.EnterFrom("b"), nullptr);
  one.reset();
  EXPECT_NE(admission.EnterFrom("a"), nullptr);
}

TEST(MemoryTest, F44_IsShortNearItsLimitOnly) {
  const TimePoint now = TimePoint() + std::chrono::hours(1);
  EXPECT_FALSE(Memory(0, "/nowhere").IsShort(now));
  EXPECT_TRUE(Memory(1'000'000).IsShort(now));
  EXPECT_FALSE(Memory(std::uint64_t{1} << 40).IsShort(now));
}

class ControlGroup : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  bool IsShort() {
    return Memory(0, folder_.string()).IsShort(TimePoint() + std::chrono::hours(1));
  }
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("group-" + NewUuid());
};

// A reader that does not read fills the kernel's buffers, which no process has resident.
TEST_F(ControlGroup, D28_F44_BuffersOfSocketsCountAndFilesDoNot) {
  Write("memory.max", "100000000");
  Write("memory.current", "91000000");
  Write("memory.stat", "anon 1000000\nsock 90000000\ninactive_file 0");
  EXPECT_FALSE(IsShort());
  Write("memory.current", "93000000");
  EXPECT_TRUE(IsShort());
  Write("memory.stat", "anon 1000000\nsock 1000000\ninactive_file 50000000");
  EXPECT_FALSE(IsShort());
}

TEST_F(ControlGroup, D28_F44_OfVersion1) {
  Write("memory/memory.limit_in_bytes", "100000000");
  Write("memory/memory.usage_in_bytes", "93000000");
  Write("memory/memory.stat", "cache 0\ntotal_inactive_file 0");
  EXPECT_TRUE(IsShort());
  Write("memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_FALSE(IsShort());
}

TEST_F(ControlGroup, D28_F44_WithoutALimitNothingIsShort) {
  Write("memory.max", "max");
  Write("memory.current", "93000000");
  EXPECT_FALSE(IsShort());
}

}  // namespace
}  // namespace wsf::door
