// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace wsf::api {

/// The leaves of an object, and who manages them: what server-side apply is about. A path is
/// written as Kubernetes' FieldsV1 does: `f:name` for a field, `k:{"name":"A"}` for an item of a
/// keyed list, `v:"x"` for an item of a set. Lists without a type are one leaf.
///
/// All functions are pure. `schema` is a structural one; {} where there is none: then objects are
/// maps and lists are leaves.
using Path = std::vector<std::string>;
using Leaves = std::map<Path, nlohmann::json>;
using FieldSet = std::set<Path>;

/// What of an object can have a manager: all but its identity and what the API itself writes.
Leaves LeavesOf(const nlohmann::json& schema, const nlohmann::json& object);

/// FieldsV1, the form in which metadata.managedFields has them.
nlohmann::json ToFieldsV1(const FieldSet& fields);
FieldSet FromFieldsV1(const nlohmann::json& tree);

/// `.spec.env[name="A"].value`, as a person reads it.
std::string Readable(const Path& path);

/// `object` with what `applied` says: fields and items are added or replaced, none removed.
nlohmann::json Merged(const nlohmann::json& schema, nlohmann::json object,
                      const nlohmann::json& applied);
/// `object` without these leaves, and without what holds nothing any more because of that.
nlohmann::json Without(const nlohmann::json& schema, const nlohmann::json& object,
                       const FieldSet& fields);

}  // namespace wsf::api
