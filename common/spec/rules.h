// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wsf::spec {

/// The rules between fields, which the API server knows as CEL (K02): `object` is a
/// WebSocketFunction with its defaults that satisfies the schema. Each error says what to write. A
/// rule stands here and in the CRD; tests/tables/functions.yaml proves that they agree.
void CheckRules(const nlohmann::json& object, std::vector<std::string>* errors);

}  // namespace wsf::spec
