// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

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
  std::chrono::seconds life;
};

/// So far back every notBefore lies, or a tenth of a shorter life: clocks differ.
inline constexpr std::chrono::seconds kClocksDiffer = std::chrono::hours(1);

/// A new self-signed authority, valid for `life` from `now`, Unix microseconds.
KeyPair MakeAuthority(const std::string& common_name, std::chrono::seconds life, std::int64_t now);

/// A certificate for TLS server and client use, signed by `authority`, valid for its life from
/// `now`, Unix microseconds.
KeyPair Issue(const KeyPair& authority, const Request& request, std::int64_t now);

/// When a certificate holds, in Unix microseconds.
struct Validity {
  std::int64_t not_before = 0;
  std::int64_t not_after = 0;
};

/// Of the first certificate in `pem`; InvalidArgument when there is none.
absl::StatusOr<Validity> ValidityOf(const std::string& pem);

/// Whether the first certificate in `pem` bears the signature of `authority`.
bool IsIssuedBy(const std::string& pem, const std::string& authority);

/// The certificates in `pem` that have their key there too, in their order.
std::vector<KeyPair> SplitPairs(const std::string& pem);

/// HMAC-SHA256 in lower-case hexadecimal.
std::string HmacSha256(std::string_view key, std::string_view text);

/// SHA-256 in lower-case hexadecimal.
std::string Sha256(std::string_view text);

}  // namespace wsf::tls
