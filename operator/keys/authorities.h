// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/tls/certificate.h"
#include "operator/keys/lives.h"

namespace wsf::keys {

/// The authorities behind one of the operator's two listeners, and how one follows another: a new
/// one is first trusted by all, then signs, then the old one goes. An instance knows only those
/// that it was born with, so each step waits for Lives::overlap() (faults.md 47).
///
/// Value type; times are Unix microseconds.
class Authorities {
 public:
  explicit Authorities(const Lives& lives = {}) : lives_(lives) {}
  /// From PEM: certificates and their keys in any order. What does not fit together is left out.
  static Authorities Parse(const std::string& pem, const Lives& lives = {});
  std::string Pem() const;

  /// Adds one that somebody else provides (cert-manager); known ones are left alone. False, and
  /// nothing is added, when it is no certificate with its key.
  bool Add(const tls::KeyPair& provided);
  /// Makes a new one when there is none or when a third of the newest one's life is left, and drops
  /// those that nobody needs. True when something changed.
  bool Rotate(std::int64_t now);

  bool empty() const { return all_.empty(); }
  std::size_t size() const { return all_.size(); }
  /// The one that signs now. REQUIRES: not empty.
  const tls::KeyPair& Signing(std::int64_t now) const;
  /// The certificates of all, for those who are to trust.
  std::string Trusted() const;

 private:
  struct Authority {
    tls::KeyPair pair;
    tls::Validity validity;
  };
  std::size_t SigningIndex(std::int64_t now) const;
  std::int64_t OverlapMicros() const;
  static std::int64_t Begin(const Authority& authority);

  Lives lives_;
  std::vector<Authority> all_;  // oldest first
};

}  // namespace wsf::keys
