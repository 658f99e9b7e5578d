// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"

namespace wsf::api {
namespace {

using Json = nlohmann::json;

// Of an object's identity, and what only the API writes.
constexpr const char* kUnmanaged[] = {"name",
                                      "namespace",
                                      "uid",
                                      "resourceVersion",
                                      "generation",
                                      "creationTimestamp",
                                      "deletionTimestamp",
                                      "deletionGracePeriodSeconds",
                                      "managedFields"};

const Json& Empty() {
  static const auto* const kEmpty = new Json(Json::object());
  return *kEmpty;
}

// The lists of metadata that many write to; a CRD's schema says nothing of metadata.
const Json& MetadataSchema() {
  static const auto* const kSchema = new Json(
      {{"properties",
        {{"finalizers", {{"x-kubernetes-list-type", "set"}}},
         {"ownerReferences",
          {{"x-kubernetes-list-type", "map"}, {"x-kubernetes-list-map-keys", {"uid"}}}}}}});
  return *kSchema;
}

const Json& SchemaOf(const Json& schema, const std::string& name, bool at_root) {
  if (at_root && name == "metadata") return MetadataSchema();
  const auto properties = schema.find("properties");
  if (properties != schema.end()) {
    const auto found = properties->find(name);
    if (found != properties->end()) return *found;
  }
  const auto additional = schema.find("additionalProperties");
  return additional != schema.end() && additional->is_object() ? *additional : Empty();
}

const Json& ItemSchema(const Json& schema) {
  const auto found = schema.find("items");
  return found == schema.end() ? Empty() : *found;
}

enum class ListType { kAtomic, kSet, kMap };

ListType TypeOf(const Json& schema) {
  const std::string type = json::TextOr("atomic", schema, "x-kubernetes-list-type");
  return type == "map" ? ListType::kMap : type == "set" ? ListType::kSet : ListType::kAtomic;
}

// By which an item of the list is told from others.
std::string ElementOf(const Json& schema, const Json& item) {
  if (TypeOf(schema) == ListType::kSet) return "v:" + item.dump();
  Json key = Json::object();
  for (const Json& name : schema["x-kubernetes-list-map-keys"]) {
    if (item.is_object()) key[json::AsText(name)] = json::At(item, json::AsText(name));
  }
  return "k:" + key.dump();
}

Path Under(const Path& path, const std::string& element) {
  Path longer = path;
  longer.push_back(element);
  return longer;
}

bool IsManaged(const Path& path) {
  if (path.size() == 1) return path[0] != "f:apiVersion" && path[0] != "f:kind";
  return path[0] != "f:metadata" ||
         std::none_of(std::begin(kUnmanaged), std::end(kUnmanaged),
                      [&path](const char* name) { return path[1] == absl::StrCat("f:", name); });
}

void Collect(const Json& schema, const Json& value, const Path& path, Leaves* leaves) {
  if (value.is_null() || (!path.empty() && !IsManaged(path))) return;
  const bool is_inner = value.is_array() && TypeOf(schema) != ListType::kAtomic && !value.empty();
  if (is_inner) {
    for (const Json& item : value) {
      Collect(ItemSchema(schema), item, Under(path, ElementOf(schema, item)), leaves);
    }
  } else if (value.is_object() && (!value.empty() || path.empty())) {
    for (const auto& [name, child] : value.items()) {
      Collect(SchemaOf(schema, name, path.empty()), child, Under(path, "f:" + name), leaves);
    }
  } else {
    (*leaves)[path] = value;
  }
}

void CollectPaths(const Json& tree, const Path& path, FieldSet* fields) {
  if (!tree.is_object()) return;
  if (tree.empty() && !path.empty()) fields->insert(path);
  for (const auto& [element, child] : tree.items()) {
    if (element != ".") CollectPaths(child, Under(path, element), fields);
  }
}

Json MergedAt(const Json& schema, Json object, const Json& applied, bool at_root);

Json MergedList(const Json& schema, Json list, const Json& applied) {
  for (const Json& item : applied) {
    const std::string element = ElementOf(schema, item);
    const auto same = std::find_if(list.begin(), list.end(), [&](const Json& each) {
      return ElementOf(schema, each) == element;
    });
    if (same == list.end()) {
      list.push_back(item);
    } else {
      *same = MergedAt(ItemSchema(schema), std::move(*same), item, false);
    }
  }
  return list;
}

Json MergedAt(const Json& schema, Json object, const Json& applied, bool at_root) {
  if (applied.is_array() && object.is_array() && TypeOf(schema) != ListType::kAtomic) {
    return MergedList(schema, std::move(object), applied);
  }
  if (!applied.is_object() || !object.is_object()) return applied;
  for (const auto& [name, value] : applied.items()) {
    Json& old = object[name];
    old = MergedAt(SchemaOf(schema, name, at_root), std::move(old), value, false);
  }
  return object;
}

// Nothing where all of `value` has gone.
std::optional<Json> Kept(const Json& schema, const Json& value, const Path& path,
                         const FieldSet& fields) {
  if (fields.contains(path)) return std::nullopt;
  if (value.is_object() && !value.empty()) {
    Json kept = Json::object();
    for (const auto& [name, child] : value.items()) {
      if (auto rest =
              Kept(SchemaOf(schema, name, path.empty()), child, Under(path, "f:" + name), fields)) {
        kept[name] = *std::move(rest);
      }
    }
    if (kept.empty()) return std::nullopt;
    return kept;
  }
  if (value.is_array() && !value.empty() && TypeOf(schema) != ListType::kAtomic) {
    Json kept = Json::array();
    for (const Json& item : value) {
      if (auto rest =
              Kept(ItemSchema(schema), item, Under(path, ElementOf(schema, item)), fields)) {
        kept.push_back(*std::move(rest));
      }
    }
    if (kept.empty()) return std::nullopt;
    return kept;
  }
  return value;
}

}  // namespace

Leaves LeavesOf(const Json& schema, const Json& object) {
  Leaves leaves;
  Collect(schema, object, {}, &leaves);
  return leaves;
}

Json ToFieldsV1(const FieldSet& fields) {
  Json tree = Json::object();
  for (const Path& path : fields) {
    Json* at = &tree;
    for (const std::string& element : path) {
      Json& next = (*at)[element];
      if (next.is_null()) next = Json::object();
      at = &next;
    }
  }
  return tree;
}

FieldSet FromFieldsV1(const Json& tree) {
  FieldSet fields;
  CollectPaths(tree, {}, &fields);
  return fields;
}

std::string Readable(const Path& path) {
  std::string text;
  for (const std::string& element : path) {
    const std::string rest = element.substr(2);
    if (element[0] == 'f') {
      absl::StrAppend(&text, ".", rest);
    } else if (element[0] == 'v') {
      absl::StrAppend(&text, "[=", rest, "]");
    } else {
      std::string keys;
      const Json key = Json::parse(rest, nullptr, false);
      for (const auto& [name, value] : key.items()) {
        absl::StrAppend(&keys, keys.empty() ? "" : ",", name, "=", value.dump());
      }
      absl::StrAppend(&text, "[", keys, "]");
    }
  }
  return text;
}

Json Merged(const Json& schema, Json object, const Json& applied) {
  return MergedAt(schema, std::move(object), applied, true);
}

Json Without(const Json& schema, const Json& object, const FieldSet& fields) {
  return Kept(schema, object, {}, fields).value_or(Json::object());
}

}  // namespace wsf::api
