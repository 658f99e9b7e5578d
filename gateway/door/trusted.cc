// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/trusted.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace wsf::door {
namespace {

namespace ip = boost::asio::ip;

template <typename Network, typename Address>
bool Holds(const Network& network, const Address& address) {
  return Network(address, network.prefix_length()).network() == network.network();
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
  ip::address address = ip::make_address(text, error);
  if (error) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = ip::make_address_v4(ip::v4_mapped, address.to_v6());
  }
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
  const std::vector<std::string_view> chain = fields.List("X-Forwarded-For");
  client.forwarded_for =
      absl::StrJoin(chain, ", ", [](std::string* out, std::string_view each) { *out += each; });
  for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
    boost::system::error_code error;
    const ip::address address = ip::make_address(std::string(*each), error);
    if (error) break;  // what stands before it is nobody's word
    client.ip = address.to_string();
    if (!Contains(client.ip)) break;
  }
  const auto proto = fields.Find("X-Forwarded-Proto");
  if (proto && (*proto == "http" || *proto == "https")) client.proto = std::string(*proto);
  client.forwarded_host = std::string(fields.Find("X-Forwarded-Host").value_or(""));
  client.forwarded_prefix = std::string(fields.Find("X-Forwarded-Prefix").value_or(""));
  return client;
}

}  // namespace wsf::door
