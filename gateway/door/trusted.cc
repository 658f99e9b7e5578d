// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/trusted.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/http/authority.h"
#include "common/net/endpoint.h"

namespace wsf::door {
namespace {

namespace ip = boost::asio::ip;

template <typename Network, typename Address>
bool Holds(const Network& network, const Address& address) {
  return Network(address, network.prefix_length()).network() == network.network();
}

// As proxies write it: 1.2.3.4, 1.2.3.4:567, ::1, [::1], [::1]:567.
std::optional<ip::address> AddressIn(std::string_view text) {
  boost::system::error_code error;
  ip::address address = ip::make_address(std::string(text), error);
  if (error) {
    const auto authority = http::ParseAuthority(text);
    if (!authority) return std::nullopt;
    address = ip::make_address(authority->host, error);
  }
  return error ? std::nullopt : std::optional(net::PlainAddress(address));
}

// What the client spoke, whether its proxy says it of HTTP or of WebSocket.
std::optional<std::string> SchemeOf(std::string_view scheme) {
  const std::string plain = absl::AsciiStrToLower(absl::string_view(scheme.data(), scheme.size()));
  if (plain == "http" || plain == "ws") return "http";
  if (plain == "https" || plain == "wss") return "https";
  return std::nullopt;
}

// Of lists that know no quotes: a client's quote would swallow what its proxy adds.
std::vector<std::string_view> Elements(const http::Fields& fields, std::string_view name) {
  std::vector<std::string_view> elements;
  for (const http::Field& field : fields) {
    if (!http::EqualIgnoringCase(field.name, name)) continue;
    for (absl::string_view part : absl::StrSplit(field.value, ',')) {
      part = absl::StripAsciiWhitespace(part);
      if (!part.empty()) elements.emplace_back(part.data(), part.size());
    }
  }
  return elements;
}

}  // namespace

absl::StatusOr<Trusted> Trusted::Parse(const std::string& list) {
  Trusted trusted;
  for (const auto part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    std::string text(absl::StripAsciiWhitespace(part));
    const bool is_v6 = absl::StrContains(text, ':');
    if (!absl::StrContains(text, '/')) text += is_v6 ? "/128" : "/32";
    boost::system::error_code error;
    if (is_v6) {
      trusted.v6_.push_back(ip::make_network_v6(text, error));
    } else {
      trusted.v4_.push_back(ip::make_network_v4(text, error));
    }
    if (error) {
      return absl::InvalidArgumentError(
          absl::StrCat(text, " is no network; write it as 10.0.0.0/8"));
    }
  }
  return trusted;
}

bool Trusted::Contains(const std::string& text) const {
  boost::system::error_code error;
  const ip::address address = net::PlainAddress(ip::make_address(text, error));
  if (error) return false;
  if (address.is_v4()) {
    return std::any_of(v4_.begin(), v4_.end(),
                       [&](const auto& each) { return Holds(each, address.to_v4()); });
  }
  return std::any_of(v6_.begin(), v6_.end(),
                     [&](const auto& each) { return Holds(each, address.to_v6()); });
}

Client Trusted::Behind(const Client& peer, const http::Fields& fields) const {
  if (!Contains(peer.ip)) return peer;
  Client client = peer;
  const std::vector<std::string_view> chain = Elements(fields, "X-Forwarded-For");
  client.forwarded_for =
      absl::StrJoin(chain, ", ", [](std::string* out, std::string_view each) { *out += each; });
  for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
    const std::optional<ip::address> address = AddressIn(*each);
    if (!address) break;  // what stands before it is nobody's word
    client.ip = address->to_string();
    if (!Contains(client.ip)) break;
  }
  const std::vector<std::string_view> schemes = Elements(fields, "X-Forwarded-Proto");
  if (!schemes.empty()) client.proto = SchemeOf(schemes.front()).value_or(client.proto);
  client.forwarded_host = std::string(fields.Find("X-Forwarded-Host").value_or(""));
  client.forwarded_prefix = std::string(fields.Find("X-Forwarded-Prefix").value_or(""));
  return client;
}

}  // namespace wsf::door
