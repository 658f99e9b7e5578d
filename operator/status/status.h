// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/http/refusal.h"
#include "common/spec/function.h"
#include "operator/fleet/fleet.h"
#include "operator/ledger/step.h"

namespace wsf::status {

using Json = nlohmann::json;

/// What a function's status is made of.
struct Facts {
  const spec::Function& function;
  std::string url;
  std::string revision;
  fleet::Counts counts;
  const ledger::Book& book;
  std::optional<http::Refusal> failure;  ///< the last start failed
  /// Hosts that it claims and that are an older function's (K11).
  std::map<std::string, std::string> lost_hosts;
};

/// The status (kubernetes.md section 1), kstatus conditions included (K04). A condition whose
/// status stays as it was in `old` keeps its lastTransitionTime. Pure.
Json MakeStatus(const Facts& facts, const Json& old, const std::string& now_rfc3339);

}  // namespace wsf::status
