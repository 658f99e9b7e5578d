// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "standalone/api/error.h"
#include "standalone/api/store.h"

namespace wsf::api {

/// Who writes, and how.
struct Writer {
  std::string manager = "wsf";  ///< fieldManager
  std::string subresource{};    ///< status or scale; "" = the object itself
  bool is_dry_run = false;      ///< all is checked and answered, nothing is stored
  enum class Unknown { kDropped, kTold, kRefused };
  Unknown unknown = Unknown::kTold;              ///< fieldValidation: of fields that nobody knows
  std::vector<std::string>* warnings = nullptr;  ///< gets what is told beside the answer
};

/// What the verbs of the Kubernetes API do to stored objects: names, uids, generations,
/// resourceVersion and uid preconditions, finalizers and graceful deletion, the status subresource,
/// and the deletion of what is owned by something that has gone.
///
/// Threading: not synchronized; confined to the supervisor's thread.
class Objects {
 public:
  explicit Objects(Store* store) : store_(store) {}

  /// Of which part of an object a write is: the other part is kept as it was.
  enum class Part { kObject, kStatus };

  Result<Json> Create(const Resource& resource, const std::string& ns, Json object,
                      const Writer& by = {});
  Result<Json> Update(const Resource& resource, const std::string& ns, const std::string& name,
                      Part part, Json object, const Writer& by = {});
  /// `content_type` chooses merge, JSON or strategic patch (the last for the core kinds alone,
  /// where it is taken as a merge: only kubectl sends it).
  Result<Json> Patch(const Resource& resource, const std::string& ns, const std::string& name,
                     Part part, const std::string& content_type, const Json& patch,
                     const Writer& by = {});
  /// Server-side apply. `force`: fields that others manage are taken from them.
  enum class Force { kNo, kYes };
  Result<Json> Apply(const Resource& resource, const std::string& ns, const std::string& name,
                     Part part, Json applied, Force force, const Writer& by);
  /// `options` is a DeleteOptions object or {}.
  Result<Json> Delete(const Resource& resource, const std::string& ns, const std::string& name,
                      const Json& options, const Writer& by = {});

  /// The kubelet's last word: the pod's processes are gone.
  void FinishPod(const std::string& ns, const std::string& name);

  Store& store() { return *store_; }

 private:
  std::optional<Error> CheckNew(const Resource& resource, const std::string& ns,
                                const Json& metadata) const;
  Result<Json> Add(const Resource& resource, const std::string& ns, Json object, const Writer& by,
                   const char* operation);
  Result<Json> Replace(const Resource& resource, const Json& stored, Json object, const Writer& by);
  Json SaveStatus(const Resource& resource, const Json& stored, const Json& object,
                  const Writer& by);
  Json Save(const Resource& resource, const Json& stored, Json object, const Writer& by);
  /// Returns it as it was.
  Json Remove(const Resource& resource, const Json& object);
  void RemoveIfDone(const Resource& resource, const Json& object);
  void CollectOwned(const std::string& owner_uid);

  Store* const store_;
};

}  // namespace wsf::api
