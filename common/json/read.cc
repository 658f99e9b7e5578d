// SPDX-License-Identifier: Apache-2.0
#include "common/json/read.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace wsf::json {
namespace {

const Json& Nothing() {
  static const auto* const kNothing = new Json();
  return *kNothing;
}

// Of a function, with all that Kubernetes puts around it, it is about twenty.
constexpr int kMaxDepth = 200;

int DepthOf(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      deepest = std::max(deepest, ++depth);
    } else if (!in_string && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return deepest;
}

int DepthOf(const Json& value) {
  int deepest = 0;
  if (value.is_structured()) {
    for (const Json& each : value) deepest = std::max(deepest, DepthOf(each));
    ++deepest;
  }
  return deepest;
}

bool IsIndex(std::string_view text, std::size_t* index) {
  const char* const end = text.data() + text.size();
  return std::from_chars(text.data(), end, *index).ptr == end && !text.empty();
}

}  // namespace

std::string AsText(const Json& value, std::string_view fallback) {
  return value.is_string() ? value.get<std::string>() : std::string(fallback);
}

std::int64_t AsNumber(const Json& value, std::int64_t fallback) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    constexpr std::uint64_t kGreatest = std::numeric_limits<std::int64_t>::max();
    return number > kGreatest ? fallback : static_cast<std::int64_t>(number);
  }
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}

std::optional<std::int64_t> AsWhole(const Json& value) {
  constexpr double kExact = 9007199254740992;  // 2^53: beyond, a double skips integers
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) != number || std::abs(number) > kExact) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  const std::int64_t number = AsNumber(value, kNone);
  return number == kNone ? std::nullopt : std::optional(number);
}

bool AsFlag(const Json& value) { return value.is_boolean() && value.get<bool>(); }

const Json& AsItems(const Json& value) {
  static const auto* const kNone = new Json(Json::array());
  return value.is_array() ? value : *kNone;
}

const Json& AsMembers(const Json& value) {
  static const auto* const kNone = new Json(Json::object());
  return value.is_object() ? value : *kNone;
}

std::vector<std::string> AsTexts(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& each : AsItems(value)) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::optional<Json> Parse(std::string_view text) {
  if (DepthOf(text) > kMaxDepth) return std::nullopt;
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

bool IsTooDeep(const Json& value) { return DepthOf(value) > kMaxDepth; }

const Json& At(const Json& from, std::string_view name) {
  if (!from.is_object()) return Nothing();
  const auto found = from.find(name);
  return found == from.end() ? Nothing() : *found;
}

const Json& Lookup(const Json& from, std::string_view path) {
  const Json* at = &from;
  while (!path.empty()) {
    path.remove_prefix(1);  // '/'
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    std::size_t index = 0;
    if (!at->is_array()) {
      at = &At(*at, part);
    } else if (IsIndex(part, &index) && index < at->size()) {
      at = &(*at)[index];
    } else {
      return Nothing();
    }
  }
  return *at;
}

}  // namespace wsf::json
