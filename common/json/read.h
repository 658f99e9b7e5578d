// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How JSON is read that others wrote: an API server, a user, a message, a file. Every function is
/// total: what is missing or of another type than is asked for is nothing, and never an exception.
/// References lead into what is read, or to a constant.
namespace wsf::json {

using Json = nlohmann::json;

/// Nothing for what is no JSON, and for what is nested deeper than anybody nests: whatever goes
/// through a value calls itself for each level.
std::optional<Json> Parse(std::string_view text);
/// Whether a value that was put together of such is deeper than that. Calls itself for each level.
bool IsTooDeep(const Json& value);

// ---- One value ----

/// `fallback` for what is no string.
std::string AsText(const Json& value, std::string_view fallback = "");
/// `fallback` for what is no integer from INT64_MIN to INT64_MAX.
std::int64_t AsNumber(const Json& value, std::int64_t fallback = 0);
/// An integer, or a number with a point that is one, as API servers take 9000.0; nothing for the
/// rest.
std::optional<std::int64_t> AsWhole(const Json& value);
/// false for what is not `true`.
bool AsFlag(const Json& value);
/// An empty array for what is no array.
const Json& AsItems(const Json& value);
/// An empty object for what is no object.
const Json& AsMembers(const Json& value);
/// The strings among its items.
std::vector<std::string> AsTexts(const Json& value);

// ---- The member of a member ----

/// What `name` leads to in an object; null when nothing does.
const Json& At(const Json& from, std::string_view name);
template <typename... Names>
const Json& At(const Json& from, std::string_view name, Names... more) {
  return At(At(from, name), more...);
}

/// The same by a path, "/spec/ports/0": names and indices, each behind a slash.
const Json& Lookup(const Json& from, std::string_view path);

template <typename... Names>
std::string Text(const Json& from, Names... path) {
  return AsText(At(from, path...));
}
template <typename... Names>
std::string TextOr(std::string_view fallback, const Json& from, Names... path) {
  return AsText(At(from, path...), fallback);
}
template <typename... Names>
std::int64_t Number(const Json& from, Names... path) {
  return AsNumber(At(from, path...));
}
template <typename... Names>
std::int64_t NumberOr(std::int64_t fallback, const Json& from, Names... path) {
  return AsNumber(At(from, path...), fallback);
}
template <typename... Names>
bool Flag(const Json& from, Names... path) {
  return AsFlag(At(from, path...));
}
template <typename... Names>
const Json& Items(const Json& from, Names... path) {
  return AsItems(At(from, path...));
}
template <typename... Names>
const Json& Members(const Json& from, Names... path) {
  return AsMembers(At(from, path...));
}
template <typename... Names>
std::vector<std::string> Texts(const Json& from, Names... path) {
  return AsTexts(At(from, path...));
}

}  // namespace wsf::json
