// SPDX-License-Identifier: Apache-2.0
#include "common/spec/schema.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <regex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"

namespace wsf::spec {
namespace {

using Json = nlohmann::json;

// In characters, as the API server counts.
std::int64_t Length(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](unsigned char byte) { return (byte & 0xc0) != 0x80; });
}

std::string Choices(const Json& list) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char* before = i == 0 ? "" : i + 1 == list.size() ? " or " : ", ";
    const std::string choice = json::AsText(list[i], list[i].dump());
    absl::StrAppend(&text, before, choice.empty() ? "\"\"" : choice);
  }
  return text;
}

std::size_t Most(const Json& schema, const char* name) {
  return json::NumberOr(std::numeric_limits<std::int64_t>::max(), schema, name);
}

// nullptr: it knows none of that name.
const Json* SchemaOfField(const Json& schema, const std::string& name) {
  const Json& properties = json::Members(schema, "properties");
  const auto known = properties.find(name);
  if (known != properties.end()) return &*known;
  const Json& additional = json::At(schema, "additionalProperties");
  return additional.is_null() ? nullptr : &additional;
}

// An object without any properties is free: metadata, which Kubernetes itself checks.
bool IsFree(const Json& schema) {
  return (json::Members(schema, "properties").empty() &&
          json::At(schema, "additionalProperties").is_null()) ||
         json::Flag(schema, "x-kubernetes-preserve-unknown-fields");
}

class Check {
 public:
  explicit Check(std::vector<std::string>* errors) : errors_(errors) {}

  void Value(const Json& schema, const Json& value, const std::string& path) {
    if (json::Flag(schema, "x-kubernetes-int-or-string")) return Quantity(schema, value, path);
    const std::string type = json::Text(schema, "type");
    if (type == "object") return Object(schema, value, path);
    if (type == "array") return List(schema, value, path);
    if (type == "string") return Text(schema, value, path);
    if (type == "integer") return Integer(schema, value, path);
    if (type == "boolean" && !value.is_boolean()) Complain(path, "must be true or false");
  }

 private:
  void Complain(const std::string& path, const std::string& what) {
    errors_->push_back(absl::StrCat(path, path.empty() ? "it " : " ", what));
  }

  void Object(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_object()) return Complain(path, "must be an object");
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const std::string& name : json::Texts(schema, "required")) {
      if (json::At(value, name).is_null()) Complain(prefix + name, "must be set");
    }
    if (value.size() > Most(schema, "maxProperties")) {
      Complain(path, absl::StrCat("has more than ", schema["maxProperties"].dump(), " entries"));
    }
    for (const auto& [name, child] : value.items()) {
      const Json* known = SchemaOfField(schema, name);
      if (known != nullptr && child.is_null()) continue;  // as if it were not there
      if (known != nullptr) {
        Value(*known, child, prefix + name);
      } else if (!IsFree(schema)) {
        Complain(prefix + name, "is no field; see the reference");
      }
    }
  }

  void List(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_array()) return Complain(path, "must be a list");
    if (value.size() > Most(schema, "maxItems")) {
      return Complain(path, absl::StrCat("has more than ", schema["maxItems"].dump(), " entries"));
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      Value(schema["items"], value[i], absl::StrCat(path, "[", i, "]"));
    }
    const std::string type = json::TextOr("atomic", schema, "x-kubernetes-list-type");
    if (type == "atomic") return;
    std::set<Json> keys;
    for (const Json& item : value) {
      Json key = item;
      if (type == "map" && item.is_object()) {
        key = json::At(item, json::AsText(schema["x-kubernetes-list-map-keys"][0]));
      }
      if (!keys.insert(key).second) {
        Complain(path, absl::StrCat("must not name ", key.dump(), " twice"));
      }
    }
  }

  void Text(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_string()) return Complain(path, "must be a string");
    const std::string text = json::AsText(value);
    const Json& choices = json::Items(schema, "enum");
    if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
      return Complain(path, "must be " + Choices(choices));
    }
    if (Length(text) < json::Number(schema, "minLength")) {
      return Complain(path, "must not be empty");
    }
    if (Length(text) >
        json::NumberOr(std::numeric_limits<std::int64_t>::max(), schema, "maxLength")) {
      return Complain(path,
                      absl::StrCat("has more than ", schema["maxLength"].dump(), " characters"));
    }
    const std::string pattern = json::Text(schema, "pattern");
    if (!pattern.empty() && !std::regex_search(text, std::regex(pattern))) {
      Complain(path, "must match " + pattern);
    }
  }

  void Integer(const Json& schema, const Json& value, const std::string& path) {
    const std::int64_t low =
        json::NumberOr(std::numeric_limits<std::int64_t>::min(), schema, "minimum");
    const std::int64_t high =
        json::NumberOr(std::numeric_limits<std::int64_t>::max(), schema, "maximum");
    const std::optional<std::int64_t> number = json::AsWhole(value);
    if (!number || *number < low || *number > high) {
      const std::string range =
          schema.contains("minimum") ? absl::StrCat(" from ", low, " to ", high) : std::string();
      Complain(path, "must be an integer" + range);
    }
  }

  void Quantity(const Json& schema, const Json& value, const std::string& path) {
    if (value.is_number_integer()) return;
    if (value.is_string()) return Text(schema, value, path);
    Complain(path, "must be a quantity like 256Mi or \"0.5\"");
  }

  std::vector<std::string>* const errors_;
};

}  // namespace

void CheckSchema(const Json& schema, const Json& value, const std::string& path,
                 std::vector<std::string>* errors) {
  Check(errors).Value(schema, value, path);
}

Json Pruned(const Json& schema, Json value, const std::string& path,
            std::vector<std::string>* dropped) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      value[i] = Pruned(json::Members(schema, "items"), std::move(value[i]),
                        absl::StrCat(path, "[", i, "]"), dropped);
    }
  }
  if (!value.is_object()) return value;
  Json kept = Json::object();
  for (const auto& [name, child] : value.items()) {
    const std::string at = path.empty() ? name : absl::StrCat(path, ".", name);
    const Json* known = SchemaOfField(schema, name);
    if (known != nullptr) {
      kept[name] = Pruned(*known, child, at, dropped);
    } else if (IsFree(schema)) {
      kept[name] = child;
    } else {
      dropped->push_back(at);
    }
  }
  return kept;
}

Json Complete(const Json& schema, Json value) {
  if (value.is_number_float() && json::Text(schema, "type") == "integer") {
    const std::optional<std::int64_t> number = json::AsWhole(value);
    return number ? Json(*number) : value;
  }
  if (value.is_array() && schema.contains("items")) {
    for (Json& item : value) item = Complete(schema["items"], std::move(item));
  }
  const Json& properties = json::Members(schema, "properties");
  const bool is_described = !properties.empty() || schema.contains("additionalProperties");
  if (!value.is_object() || !is_described) return value;
  for (auto entry = value.begin(); entry != value.end();) {
    entry = entry->is_null() ? value.erase(entry) : std::next(entry);
  }
  for (const auto& [name, property] : properties.items()) {
    if (!value.contains(name) && property.contains("default")) value[name] = property["default"];
    if (value.contains(name)) value[name] = Complete(property, std::move(value[name]));
  }
  return value;
}

}  // namespace wsf::spec
