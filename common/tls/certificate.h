// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wsf::tls {

/// A certificate and its private key (EC P-256), both PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
};

/// What a certificate is for.
struct Request {
  std::string common_name;
  std::string dns_name;  ///< subjectAltName; "" = none
  std::string ip;        ///< subjectAltName; "" = none
  int days = 7;
};

/// A new self-signed authority, valid for ten years.
KeyPair MakeAuthority(const std::string& common_name);

/// A certificate for TLS server and client use, signed by `authority`. Its notBefore lies an hour
/// back, for clocks that differ.
KeyPair Issue(const KeyPair& authority, const Request& request);

/// HMAC-SHA256 in lower-case hexadecimal.
std::string HmacSha256(std::string_view key, std::string_view text);

/// SHA-256 in lower-case hexadecimal.
std::string Sha256(std::string_view text);

}  // namespace wsf::tls
