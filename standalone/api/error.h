// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <variant>

namespace wsf::api {

/// A refusal in Kubernetes' own terms: what becomes a `Status` object.
struct Error {
  int code = 500;
  std::string reason;
  std::string message;
};

template <typename T>
using Result = std::variant<T, Error>;

inline Error NotFound(const std::string& plural, const std::string& name) {
  return {404, "NotFound", plural + " \"" + name + "\" not found"};
}
inline Error Conflict(const std::string& what) { return {409, "Conflict", what}; }
inline Error Invalid(const std::string& what) { return {422, "Invalid", what}; }
inline Error BadRequest(const std::string& what) { return {400, "BadRequest", what}; }

inline nlohmann::json StatusObject(const Error& error) {
  return {{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", nlohmann::json::object()},
          {"status", "Failure"}, {"message", error.message}, {"reason", error.reason},
          {"code", error.code}};
}

}  // namespace wsf::api
