// SPDX-License-Identifier: Apache-2.0
#include "operator/keys/authorities.h"

#include <algorithm>
#include <utility>

#include "common/base/ids.h"

namespace wsf::keys {

Authorities Authorities::Parse(const std::string& pem, const Lives& lives) {
  Authorities result(lives);
  for (tls::KeyPair& pair : tls::SplitPairs(pem)) result.Add(pair);
  return result;
}

std::string Authorities::Pem() const {
  std::string pem;
  for (const Authority& each : all_) pem += each.pair.certificate + each.pair.key;
  return pem;
}

bool Authorities::Add(const tls::KeyPair& provided) {
  const auto validity = tls::ValidityOf(provided.certificate);
  if (!validity.ok() || tls::SplitPairs(provided.certificate + "\n" + provided.key).empty()) {
    return false;
  }
  for (const Authority& each : all_) {
    if (each.pair.certificate == provided.certificate) return true;
  }
  all_.push_back({provided, *validity});
  std::stable_sort(all_.begin(), all_.end(), [](const Authority& a, const Authority& b) {
    return a.validity.not_before < b.validity.not_before;
  });
  return true;
}

bool Authorities::Rotate(std::int64_t now) {
  const std::size_t before = all_.size();
  std::erase_if(all_, [now](const Authority& each) { return each.validity.not_after <= now; });
  // Superseded for so long, nobody is left who trusts the old one alone.
  while (all_.size() > 1 && SigningIndex(now) > 0 &&
         Begin(all_[SigningIndex(now)]) + 2 * OverlapMicros() <= now) {
    all_.erase(all_.begin());
  }
  bool changed = all_.size() != before;
  const auto is_old = [now](const tls::Validity& validity) {
    return now >= validity.not_after - (validity.not_after - validity.not_before) / 3;
  };
  if (all_.empty() || is_old(all_.back().validity)) {
    // A name of its own: a verifier looks for the issuer by name first.
    Add(tls::MakeAuthority("wsf internal CA " + Hex(RandomBytes(4)), lives_.authority, now));
    changed = true;
  }
  return changed;
}

const tls::KeyPair& Authorities::Signing(std::int64_t now) const {
  return all_[SigningIndex(now)].pair;
}

std::string Authorities::Trusted() const {
  std::string pem;
  for (const Authority& each : all_) pem += each.pair.certificate;
  return pem;
}

// When it was made, or a little later: its notBefore lies back, for clocks that differ.
std::int64_t Authorities::Begin(const Authority& authority) {
  const std::chrono::microseconds life(authority.validity.not_after -
                                       authority.validity.not_before);
  const std::chrono::microseconds back = tls::kClocksDiffer;
  return authority.validity.not_before + std::min(back, life / 10).count();
}

std::int64_t Authorities::OverlapMicros() const {
  return std::chrono::microseconds(lives_.overlap()).count();
}

// The newest that everybody trusts by now; the first one there ever was signs at once.
std::size_t Authorities::SigningIndex(std::int64_t now) const {
  std::size_t index = 0;
  for (std::size_t i = 1; i < all_.size(); ++i) {
    if (Begin(all_[i]) + OverlapMicros() <= now) index = i;
  }
  return index;
}

}  // namespace wsf::keys
