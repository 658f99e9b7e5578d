// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/managers.h"

#include <algorithm>

#include "common/json/read.h"

namespace wsf::api {
namespace {

using Json = nlohmann::json;

bool Differs(const Leaves& leaves, const Path& path, const Json& value) {
  const auto found = leaves.find(path);
  return found == leaves.end() || found->second != value;
}

bool IsOfStatus(const Path& path) { return path.front() == "f:status"; }

}  // namespace

Managers::Managers(const Json& managed_fields) {
  if (!managed_fields.is_array()) return;
  for (const Json& each : managed_fields) {
    all_.push_back({json::Text(each, "manager"), json::Text(each, "operation"),
                    json::Text(each, "apiVersion"), json::Text(each, "subresource"),
                    json::Text(each, "time"), FromFieldsV1(json::Members(each, "fieldsV1"))});
  }
}

Json Managers::ToManagedFields() const {
  Json list = Json::array();
  for (const Manager& each : all_) {
    Json entry = {{"manager", each.name},           {"operation", each.operation},
                  {"apiVersion", each.api_version}, {"time", each.time},
                  {"fieldsType", "FieldsV1"},       {"fieldsV1", ToFieldsV1(each.fields)}};
    if (!each.subresource.empty()) entry["subresource"] = each.subresource;
    list.push_back(std::move(entry));
  }
  return list;
}

void Managers::OnUpdate(const Manager& by, const Leaves& before, const Leaves& after) {
  FieldSet changed;
  for (const auto& [path, value] : after) {
    if (Differs(before, path, value)) changed.insert(path);
  }
  for (Manager& each : all_) {
    std::erase_if(each.fields, [&](const Path& path) {
      if (IsOfStatus(path) != (by.subresource == "status")) return false;
      return !after.contains(path) || (changed.contains(path) && !each.Is(by));
    });
  }
  // By its scale a field is taken from its manager and given to none, as API servers do.
  if (!changed.empty() && by.subresource != "scale") {
    Manager& own = Entry(by);
    own.time = by.time;
    own.fields.merge(changed);
  }
  DropEmpty();
}

std::vector<Managers::Conflict> Managers::ConflictsOf(const Manager& by, const Leaves& stored,
                                                      const Leaves& applied) const {
  std::vector<Conflict> found;
  for (const auto& [path, value] : applied) {
    if (!Differs(stored, path, value)) continue;
    for (const Manager& each : all_) {
      if (!each.Is(by) && each.fields.contains(path)) found.push_back({each, path});
    }
  }
  return found;
}

FieldSet Managers::OnApply(const Manager& by, const Leaves& stored, const Leaves& applied) {
  FieldSet fields;
  for (const auto& [path, value] : applied) {
    fields.insert(path);
    if (!Differs(stored, path, value)) continue;
    for (Manager& each : all_) {
      if (!each.Is(by)) each.fields.erase(path);
    }
  }
  Manager& own = Entry(by);
  FieldSet gone;
  for (const Path& path : own.fields) {
    if (!fields.contains(path) && !OthersHave(by, path)) gone.insert(path);
  }
  if (own.fields != fields) own.time = by.time;
  own.fields = std::move(fields);
  DropEmpty();
  return gone;
}

Manager& Managers::Entry(const Manager& by) {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [&by](const Manager& each) { return each.Is(by); });
  if (found != all_.end()) return *found;
  all_.push_back(by);
  return all_.back();
}

void Managers::DropEmpty() {
  std::erase_if(all_, [](const Manager& each) { return each.fields.empty(); });
}

bool Managers::OthersHave(const Manager& by, const Path& path) const {
  return std::any_of(all_.begin(), all_.end(), [&](const Manager& each) {
    return !each.Is(by) && each.fields.contains(path);
  });
}

}  // namespace wsf::api
