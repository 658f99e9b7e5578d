// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "standalone/api/fields.h"

namespace wsf::api {

/// One entry of metadata.managedFields.
struct Manager {
  std::string name;
  std::string operation;  ///< Apply or Update
  std::string api_version;
  std::string subresource;  ///< by which it writes: status or scale; "" = the object itself
  std::string time;         ///< RFC 3339
  FieldSet fields;

  bool Is(const Manager& other) const {
    return name == other.name && operation == other.operation && subresource == other.subresource;
  }
};

/// Who manages which fields of one object (kubernetes.md U20): each manager's set is kept, what a
/// manager changes is no other's any more, and what it no longer applies goes.
///
/// Pure.
class Managers {
 public:
  explicit Managers(const nlohmann::json& managed_fields);
  nlohmann::json ToManagedFields() const;

  /// A write by PUT, POST or another patch than an applied one: `by`, without fields, has changed
  /// the object. `before` and `after` are of its status where that is written, else of the rest.
  void OnUpdate(const Manager& by, const Leaves& before, const Leaves& after);

  struct Conflict {
    Manager manager;
    Path path;
  };
  /// What others manage and `applied` wants otherwise than `stored` has it.
  std::vector<Conflict> ConflictsOf(const Manager& by, const Leaves& stored,
                                    const Leaves& applied) const;
  /// `by` applies: it has these fields from here on, those of `applied`. Returns what it had, and
  /// nobody else has: that is to be removed.
  FieldSet OnApply(const Manager& by, const Leaves& stored, const Leaves& applied);

 private:
  Manager& Entry(const Manager& by);
  void DropEmpty();
  bool OthersHave(const Manager& by, const Path& path) const;

  std::vector<Manager> all_;
};

}  // namespace wsf::api
