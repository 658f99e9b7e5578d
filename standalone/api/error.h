// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "standalone/api/resource.h"

namespace wsf::api {

/// A refusal in Kubernetes' own terms: what becomes a `Status` object.
struct Error {
  int code = 500;
  std::string reason;
  std::string message;
  nlohmann::json details = nullptr;  ///< what it is about, and each cause: what clients read
};

template <typename T>
using Result = std::variant<T, Error>;

inline Error NotFound(const std::string& what, const std::string& name) {
  return {404, "NotFound", what + " \"" + name + "\" not found"};
}
inline Error Conflict(const std::string& what) { return {409, "Conflict", what}; }
inline Error Invalid(const std::string& what) { return {422, "Invalid", what}; }
inline Error BadRequest(const std::string& what) { return {400, "BadRequest", what}; }

/// The same of an object, as an API server words it.
inline Error NotFound(const Resource& resource, const std::string& name) {
  Error error = NotFound(resource.qualified(), name);
  error.details = {{"name", name}, {"kind", resource.plural}};
  if (*resource.group != '\0') error.details["group"] = resource.group;
  return error;
}
inline Error AlreadyExists(const Resource& resource, const std::string& name) {
  Error error = NotFound(resource, name);
  return {409, "AlreadyExists", resource.qualified() + " \"" + name + "\" already exists",
          error.details};
}
inline Error Conflict(const Resource& resource, const std::string& name, const std::string& why) {
  return {409, "Conflict",
          "Operation cannot be fulfilled on " + resource.qualified() + " \"" + name + "\": " + why,
          NotFound(resource, name).details};
}
/// `causes`: what is wrong, each with the path of its field in front.
inline Error Invalid(const Resource& resource, const std::string& name,
                     const std::vector<std::string>& causes) {
  std::string all;
  nlohmann::json told = nlohmann::json::array();
  for (const std::string& each : causes) {
    const std::size_t end = each.find_first_of(": ");
    all += (all.empty() ? "" : ", ") + each;
    told.push_back(
        {{"reason", "FieldValueInvalid"},
         {"message", each.substr(end == std::string::npos ? 0 : each.find(' ', end) + 1)},
         {"field", each.substr(0, end)}});
  }
  const std::string group = *resource.group == '\0' ? "" : std::string(".") + resource.group;
  Error error = Invalid(resource.kind + group + " \"" + name +
                        "\" is invalid: " + (causes.size() == 1 ? all : "[" + all + "]"));
  error.details = {{"name", name}, {"kind", resource.kind}, {"causes", told}};
  if (*resource.group != '\0') error.details["group"] = resource.group;
  return error;
}

inline nlohmann::json StatusObject(const Error& error) {
  nlohmann::json status = {
      {"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", nlohmann::json::object()},
      {"status", "Failure"}, {"message", error.message}, {"code", error.code}};
  if (!error.reason.empty()) status["reason"] = error.reason;
  if (!error.details.is_null()) status["details"] = error.details;
  return status;
}

}  // namespace wsf::api
