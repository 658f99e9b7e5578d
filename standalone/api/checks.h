// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "standalone/api/error.h"
#include "standalone/api/store.h"

namespace wsf::api {

// What an object must be, whoever writes it; an error says what to write. Pure.

/// DNS label or subdomain (RFC 1123), as Kubernetes wants names.
bool IsName(const std::string& name);
bool IsLabelValue(const std::string& text);
/// A label's key, or an annotation's: a name of at most 63 characters, behind a domain and a slash
/// perhaps.
bool IsQualifiedName(const std::string& key);

/// The CRD's for a function, empty for others.
const Json& SchemaOf(const Resource& resource);

/// Where an object says what it is, it is what its address says.
std::optional<Error> CheckKind(const Resource& resource, const Json& object);
/// The same of its namespace and name.
std::optional<Error> CheckPlace(const Json& metadata, const std::string& ns,
                                const std::string& name);
/// What everything else relies on: metadata has the right types, labels and annotations are such.
std::optional<Error> CheckMetadata(const Json& metadata);
/// A function's status is what its definition says.
std::optional<Error> CheckStatus(const Resource& resource, const Json& object);
/// A function by schema and rules, a pod by the parts that every pod has: a cluster's API server
/// refuses more, by schemas that are not here. `old` is nullptr for a new one.
std::optional<Error> Validate(const Resource& resource, const Json& object, const Json* old);

}  // namespace wsf::api
