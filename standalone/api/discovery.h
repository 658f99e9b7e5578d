// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace wsf::api {

/// The documents by which kubectl learns what this API serves: /version, /api, /apis, their groups,
/// and as much OpenAPI as its client-side apply asks for. Nothing for any other path.
std::optional<nlohmann::json> Discover(const std::string& path);

}  // namespace wsf::api
