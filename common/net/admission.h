// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace wsf::net {

/// Whose an address is, for counting: an IPv4 address, or the 64 bits of an IPv6 one that a site
/// has, within which anybody may take as many addresses as he likes.
std::string SourceOf(const std::string& ip);

/// How many connections are served at a time, in all and of one source: who takes them all must
/// not keep everybody else out (faults.md 34, S1).
///
/// Pure; not synchronized. Outlives the places it gives.
class Admission {
 public:
  struct Limits {
    std::size_t in_all = SIZE_MAX;
    std::size_t per_address = SIZE_MAX;
    /// Each IPv6 address is a source of its own: in a cluster a whole node is in one /64.
    bool whole_addresses = false;
  };
  explicit Admission(Limits limits) : limits_(limits) {}

  /// A place among all connections, given back when the last copy goes; nullptr = there is none.
  std::shared_ptr<void> Enter();
  /// The same among those of the address's source.
  std::shared_ptr<void> EnterFrom(const std::string& ip);

  std::size_t in_all() const { return in_all_; }

 private:
  const Limits limits_;
  std::size_t in_all_ = 0;
  std::map<std::string, std::size_t> by_address_;
};

}  // namespace wsf::net
