// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/spec/function.h"

namespace wsf::spec {

/// The greatest limits of a function (C7); 0 = any.
struct Maxima {
  std::uint64_t message_bytes = 0;
  std::uint64_t request_bytes_per_second = 0;
  std::uint32_t requests_per_second = 0;
};

/// What the administrator of a cluster allows to those who write functions.
struct Grants {
  Maxima maxima;
  /// The strictest `eviction` of a function: one that nobody may drain holds up a node's upgrade.
  Eviction eviction = Eviction::kOnUpgrade;
  // K22; empty = none.
  std::vector<std::string> service_accounts;
  std::vector<std::string> runtime_classes;
  std::vector<std::string> priority_classes;
  /// Namespace -> the domains that are its own (K11): it may claim no other hosts, and nobody else
  /// may claim these. Where there is none every host may be claimed by everybody.
  std::map<std::string, std::set<std::string>> hosts;
  /// Hosts of every function's address, and the namespace of the gateway's Service: with one of
  /// their names a function would take the connections of all others (K11).
  std::set<std::string> own_hosts;
  std::string platform_namespace;
};

/// Adds to `function->errors` what asks for more. A rate that is off asks for all.
void CheckGrants(const Grants& grants, Function* function);

}  // namespace wsf::spec
