// SPDX-License-Identifier: Apache-2.0
#include "operator/status/hosts.h"

#include <tuple>

#include "common/base/impossible.h"

namespace wsf::status {

std::set<std::string> Hosts::OnFunction(const spec::Function& function) {
  std::set<std::string> touched = OnFunctionGone(function.key());
  if (function.spec.hosts.empty()) return touched;
  claims_[function.key()] = {function.created, function.uid, function.spec.hosts};
  for (const std::string& host : function.spec.hosts) claimed_by_[host].insert(function.key());
  touched.merge(Rivals(function.key()));
  return touched;
}

std::set<std::string> Hosts::OnFunctionGone(const std::string& key) {
  const auto claim = claims_.find(key);
  if (claim == claims_.end()) return {};
  std::set<std::string> touched = Rivals(key);
  for (const std::string& host : claim->second.hosts) {
    const auto keys = claimed_by_.find(host);
    if (keys == claimed_by_.end()) continue;
    keys->second.erase(key);
    if (keys->second.empty()) claimed_by_.erase(keys);
  }
  claims_.erase(claim);
  return touched;
}

std::set<std::string> Hosts::Rivals(const std::string& key) const {
  std::set<std::string> rivals;
  const auto own = claims_.find(key);
  if (own == claims_.end()) return rivals;
  for (const std::string& host : own->second.hosts) {
    const auto keys = claimed_by_.find(host);
    if (keys != claimed_by_.end()) rivals.insert(keys->second.begin(), keys->second.end());
  }
  rivals.erase(key);
  return rivals;
}

std::map<std::string, std::string> Hosts::LostBy(const std::string& key) const {
  std::map<std::string, std::string> lost;
  const auto own = claims_.find(key);
  if (own == claims_.end()) return lost;
  for (const std::string& host : own->second.hosts) {
    const auto* oldest = &*own;
    const auto keys = claimed_by_.find(host);
    if (keys == claimed_by_.end()) {
      Impossible("a claim that its host does not know");
      continue;
    }
    for (const std::string& other : keys->second) {
      const auto rival = claims_.find(other);
      if (rival == claims_.end()) {
        Impossible("a host that is claimed by nobody");
        continue;
      }
      if (std::tie(rival->second.created, rival->second.uid) <
          std::tie(oldest->second.created, oldest->second.uid)) {
        oldest = &*rival;
      }
    }
    if (oldest->first != key) lost[host] = oldest->first;
  }
  return lost;
}

}  // namespace wsf::status
