// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/net/endpoint.h"

namespace wsf::door {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::size_t kMaxLine1 = 107;
constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kHead2 = 16;
constexpr std::size_t kTcp4Bytes = 12;
constexpr std::size_t kTcp6Bytes = 36;

absl::Status Wrong(const char* what) {
  return absl::InvalidArgumentError(std::string("PROXY protocol: ") + what);
}

// Whether `bytes`, cut short perhaps, begin with `start`.
bool MayBegin(std::string_view bytes, std::string_view start) {
  return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
}

absl::StatusOr<std::optional<ProxyHeader>> ReadVersion1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMaxLine1).find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxLine1) return Wrong("its first line is too long");
    return std::optional<ProxyHeader>();
  }
  const std::vector<std::string> words = absl::StrSplit(std::string(bytes.substr(0, end)), ' ');
  ProxyHeader header{end + 2, ""};
  if (words.size() >= 2 && words[1] == "UNKNOWN") return header;
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) {
    return Wrong("expected TCP4, TCP6 or UNKNOWN");
  }
  boost::system::error_code error;
  const ip::address address = ip::make_address(words[2], error);
  if (error || address.is_v4() != (words[1] == "TCP4")) return Wrong("no source address");
  header.client_ip = net::PlainAddress(address).to_string();
  return header;
}

template <typename Address>
std::string AddressAt(std::string_view bytes) {
  typename Address::bytes_type raw;
  std::copy_n(bytes.begin(), raw.size(), raw.begin());
  return net::PlainAddress(Address(raw)).to_string();
}

absl::StatusOr<std::optional<ProxyHeader>> ReadVersion2(std::string_view bytes) {
  if (bytes.size() < kHead2) return std::optional<ProxyHeader>();
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (byte(12) >> 4 != 2 || (byte(12) & 15) > 1) return Wrong("unknown version or command");
  const std::size_t size = kHead2 + (byte(14) << 8 | byte(15));
  if (size > kMaxProxyHeaderBytes) return Wrong("it is too long");
  if (bytes.size() < size) return std::optional<ProxyHeader>();
  ProxyHeader header{size, ""};
  const bool local = (byte(12) & 15) == 0;
  const std::string_view addresses = bytes.substr(kHead2, size - kHead2);
  if (local) return header;
  if (byte(13) == 0x11 && addresses.size() >= kTcp4Bytes) {
    header.client_ip = AddressAt<ip::address_v4>(addresses);
  } else if (byte(13) == 0x21 && addresses.size() >= kTcp6Bytes) {
    header.client_ip = AddressAt<ip::address_v6>(addresses);
  }
  return header;
}

}  // namespace

absl::StatusOr<std::optional<ProxyHeader>> ReadProxyHeader(std::string_view bytes) {
  if (MayBegin(bytes, kSignature1)) return ReadVersion1(bytes);
  if (MayBegin(bytes, kSignature2)) return ReadVersion2(bytes);
  return Wrong("the connection does not begin with it");
}

}  // namespace wsf::door
