// SPDX-License-Identifier: Apache-2.0
#include "common/net/admission.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "common/net/endpoint.h"

namespace wsf::net {

std::string SourceOf(const std::string& ip) {
  constexpr int kSiteBits = 64;
  boost::system::error_code error;
  const auto address = PlainAddress(boost::asio::ip::make_address(ip, error));
  if (error) return ip;
  if (address.is_v4()) return address.to_string();
  return boost::asio::ip::network_v6(address.to_v6(), kSiteBits).canonical().to_string();
}

std::shared_ptr<void> Admission::Enter() {
  if (in_all_ >= limits_.in_all) return nullptr;
  ++in_all_;
  return {this, [this](void*) { --in_all_; }};
}

std::shared_ptr<void> Admission::EnterFrom(const std::string& ip) {
  const std::string source = limits_.whole_addresses ? ip : SourceOf(ip);
  const auto found = by_address_.try_emplace(source, 0).first;
  if (found->second >= limits_.per_address) return nullptr;
  ++found->second;
  return {this, [this, found](void*) {
            if (--found->second == 0) by_address_.erase(found);
          }};
}

}  // namespace wsf::net
