// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace wsf::spec {

/// The documents of a YAML (or JSON) text, as kubectl reads them. InvalidArgument names the line.
absl::StatusOr<std::vector<nlohmann::json>> ParseYaml(const std::string& text);

}  // namespace wsf::spec
