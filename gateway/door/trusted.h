// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/head.h"

namespace wsf::door {

/// What is known of the client of a connection.
struct Client {
  std::string ip;
  std::string peer_ip;           ///< of who connects to us: the client, or a trusted proxy
  std::string proto = "http";    ///< "http" or "https": X-Forwarded-Proto
  std::string server_name;       ///< what it asked for in TLS, "" = nothing
  std::string forwarded_for;     ///< X-Forwarded-For as trusted proxies wrote it, "" = none
  std::string forwarded_host;    ///< X-Forwarded-Host of a trusted proxy, "" = none
  std::string forwarded_prefix;  ///< X-Forwarded-Prefix of a trusted proxy, "" = none
};

/// The addresses whose word is taken for a client's: load balancers and ingress controllers.
///
/// Pure; not synchronized.
class Trusted {
 public:
  /// `list` as in "10.0.0.0/8, 192.0.2.7, fd00::/8"; "" = nobody. InvalidArgument names the part
  /// that is none.
  static absl::StatusOr<Trusted> Parse(const std::string& list);

  bool Contains(const std::string& ip) const;

  /// `peer`, or, where its address is trusted, the client that its X-Forwarded-* fields tell of:
  /// the nearest one that is not trusted itself.
  Client Behind(const Client& peer, const http::Fields& fields) const;

 private:
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace wsf::door
