// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace wsf::keys {

/// How long what is made and given out holds (operator flags).
struct Lives {
  /// A relay's certificate: longer than an instance lives (warmMaxAgeSeconds, then
  /// executionTimeoutSeconds).
  std::chrono::seconds relay = std::chrono::hours(7 * 24);
  /// The operator's certificates and the gateways'.
  std::chrono::seconds own = std::chrono::hours(365 * 24);
  /// An authority; at least shortest_authority().
  std::chrono::seconds authority = std::chrono::hours(3650 * 24);

  /// How long a new authority is only trusted before it signs, and an old one is still trusted
  /// after it has stopped: longer than any relay lives, which knows the authorities that it was
  /// born with and no others.
  std::chrono::seconds overlap() const { return relay * 8 / 7; }
  /// One is followed by another when a third of it is left, which two overlaps must fit into.
  std::chrono::seconds shortest_authority() const { return 7 * relay; }
  /// How often it is looked whether anything is to be made anew: what is given out has at least
  /// five sixths of its life before it.
  std::chrono::seconds look() const {
    return std::min<std::chrono::seconds>(std::chrono::hours(1), std::min(relay, own) / 6);
  }
};

}  // namespace wsf::keys
