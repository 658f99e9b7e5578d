// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace wsf::api {

/// The content type of bodies that are Kubernetes' Protocol Buffers.
inline constexpr char kProtobuf[] = "application/vnd.kubernetes.protobuf";

/// The Namespace or Secret in such a body, as the JSON of it would be; nothing for another kind,
/// and for what is no such body. Pure.
std::optional<nlohmann::json> FromProtobuf(const std::string& body);

}  // namespace wsf::api
