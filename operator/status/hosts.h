// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/spec/function.h"

namespace wsf::status {

/// Which function a host belongs to: the oldest of those that claim it, by creation and then by uid
/// (K11).
///
/// Pure; not synchronized.
class Hosts {
 public:
  /// Returns the keys of the other functions that claim, or claimed, one of the same hosts: what
  /// they may have has changed.
  std::set<std::string> OnFunction(const spec::Function& function);
  std::set<std::string> OnFunctionGone(const std::string& key);

  /// The hosts that the function claims and that are another's, with that one's key.
  std::map<std::string, std::string> LostBy(const std::string& key) const;

 private:
  struct Claim {
    std::string created;
    std::string uid;
    std::vector<std::string> hosts;
  };
  std::set<std::string> Rivals(const std::string& key) const;

  std::map<std::string, Claim> claims_;                      // by function key
  std::map<std::string, std::set<std::string>> claimed_by_;  // host -> keys
};

}  // namespace wsf::status
