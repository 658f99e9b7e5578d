// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wsf::spec {

/// Checks `value` against a structural schema as the API server does (OpenAPI v3 as a
/// CustomResourceDefinition allows it; not CEL, which is written out where it is used). Each error
/// starts with the path of the field and says what to write. `path` is "" or ends with the name of
/// the field that holds `value`. An unknown field is an error, as with kubectl's --validate=strict.
void CheckSchema(const nlohmann::json& schema, const nlohmann::json& value, const std::string& path,
                 std::vector<std::string>* errors);

/// `value` without the fields that the schema does not know, which an API server drops; `dropped`
/// gets the path of each, like spec.env[0].nmae.
nlohmann::json Pruned(const nlohmann::json& schema, nlohmann::json value, const std::string& path,
                      std::vector<std::string>* dropped);

/// `value` as an API server stores it: fields that are null are left out, defaults fill what is
/// missing (K03), and 9000.0 is 9000 where an integer is asked for.
nlohmann::json Complete(const nlohmann::json& schema, nlohmann::json value);

}  // namespace wsf::spec
