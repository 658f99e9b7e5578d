// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/checks.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/json/read.h"
#include "common/spec/crd.h"
#include "common/spec/function.h"
#include "common/spec/schema.h"

namespace wsf::api {
namespace {

constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;

bool IsMapOfTexts(const Json& map) {
  return map.is_object() &&
         std::all_of(map.begin(), map.end(), [](const Json& value) { return value.is_string(); });
}

std::optional<Error> CheckPod(const Json& pod) {
  if (!json::At(pod, "spec").is_object()) return BadRequest("spec must be an object");
  for (const char* list : {"containers", "initContainers"}) {
    const Json& containers = json::At(pod, "spec", list);
    if (!containers.is_null() && !containers.is_array()) {
      return BadRequest(std::string("spec.") + list + " must be a list");
    }
    for (const Json& each : json::AsItems(containers)) {
      if (json::Text(each, "name").empty()) {
        return BadRequest(std::string("spec.") + list + " must be containers, each with a name");
      }
    }
  }
  return std::nullopt;
}

std::optional<Error> CheckKeys(const Json& metadata) {
  for (const auto& [key, value] : json::Members(metadata, "labels").items()) {
    if (!IsQualifiedName(key) || !IsLabelValue(json::AsText(value))) {
      return Invalid("metadata.labels: \"" + key + "=" + json::AsText(value) + "\" is no label");
    }
  }
  for (const auto& [key, value] : json::Members(metadata, "annotations").items()) {
    if (!IsQualifiedName(absl::AsciiStrToLower(key))) {
      return Invalid("metadata.annotations: \"" + key + "\" is no key");
    }
  }
  return std::nullopt;
}

}  // namespace

bool IsName(const std::string& name) {
  const auto valid = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxName && name.front() != '-' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), valid);
}

bool IsLabelValue(const std::string& text) {
  const auto is_end = [](unsigned char c) { return absl::ascii_isalnum(c); };
  if (text.empty()) return true;
  return text.size() <= kMaxLabel && is_end(text.front()) && is_end(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](unsigned char c) {
           return is_end(c) || c == '-' || c == '_' || c == '.';
         });
}

bool IsQualifiedName(const std::string& key) {
  const std::size_t slash = key.find('/');
  const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
  return !name.empty() && IsLabelValue(name) &&
         (slash == std::string::npos || IsName(key.substr(0, slash)));
}

const Json& SchemaOf(const Resource& resource) {
  static const auto* const kNone = new Json(Json::object());
  return IsFunction(resource) ? spec::FunctionSchema() : *kNone;
}

std::optional<Error> CheckKind(const Resource& resource, const Json& object) {
  const std::string kind = json::TextOr(resource.kind, object, "kind");
  const std::string version = json::TextOr(resource.group_version(), object, "apiVersion");
  if (kind == resource.kind && version == resource.group_version()) return std::nullopt;
  return BadRequest("the object is a " + version + " " + kind + ", the address is one of " +
                    resource.group_version() + " " + std::string(resource.kind));
}

std::optional<Error> CheckPlace(const Json& metadata, const std::string& ns,
                                const std::string& name) {
  if (json::TextOr(ns, metadata, "namespace") != ns) {
    return BadRequest("the namespace of the object does not match the namespace of the request");
  }
  if (json::TextOr(name, metadata, "name") != name) {
    return BadRequest("the name of the object does not match the name of the request");
  }
  return std::nullopt;
}

// What everything else here relies on: a stored object's metadata has the right types.
std::optional<Error> CheckMetadata(const Json& metadata) {
  for (const char* text :
       {"name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (metadata.contains(text) && !metadata[text].is_string() && !metadata[text].is_null()) {
      return BadRequest(std::string("metadata.") + text + " must be a string");
    }
  }
  for (const char* map : {"labels", "annotations"}) {
    if (metadata.contains(map) && !metadata[map].is_null() && !IsMapOfTexts(metadata[map])) {
      return BadRequest(std::string("metadata.") + map + " must be a map of strings");
    }
  }
  for (const char* list : {"finalizers", "ownerReferences"}) {
    if (!json::At(metadata, list).is_null() && !json::At(metadata, list).is_array()) {
      return BadRequest("metadata.finalizers and metadata.ownerReferences must be lists");
    }
  }
  for (const Json& owner : json::Items(metadata, "ownerReferences")) {
    if (!owner.is_object()) {
      return BadRequest("metadata.ownerReferences must be a list of references");
    }
    if (json::Text(owner, "uid").empty()) {
      return Invalid("metadata.ownerReferences must have a uid each");
    }
  }
  return CheckKeys(metadata);
}

// What the operator and the runtime rely on: a function's status is what its definition says, a pod
// has the parts that every pod has. A cluster's API server refuses more, by schemas that are not
// here.
std::optional<Error> CheckStatus(const Resource& resource, const Json& object) {
  const Json& status = json::At(object, "status");
  if (!status.is_null() && !status.is_object()) return BadRequest("status must be an object");
  if (!IsFunction(resource) || status.is_null()) return std::nullopt;
  std::vector<std::string> errors;
  spec::CheckSchema(SchemaOf(resource)["properties"]["status"], status, "status", &errors);
  if (errors.empty()) return std::nullopt;
  return Invalid(resource, json::Text(object, "metadata", "name"), errors);
}

// The C++ validator; the schema's own part comes with the CRD.
std::optional<Error> Validate(const Resource& resource, const Json& object, const Json* old) {
  if (IsPod(resource)) return CheckPod(object);
  if (!IsFunction(resource)) return std::nullopt;
  const std::string name = json::Text(object, "metadata", "name");
  if (json::At(object, "spec").is_null()) return Invalid(resource, name, {"spec: Required value"});
  std::vector<std::string> errors = spec::ParseFunction(object).errors;
  const auto protocol = [](const Json& of) { return json::TextOr("WS", of, "spec", "protocol"); };
  if (old != nullptr && protocol(*old) != protocol(object)) {
    errors = {"spec.protocol cannot be changed"};
  }
  if (errors.empty()) return std::nullopt;
  return Invalid(resource, name, errors);
}

}  // namespace wsf::api
