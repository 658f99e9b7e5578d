// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "standalone/api/error.h"
#include "standalone/api/store.h"

namespace wsf::api {

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

  Result<Json> Create(const Resource& resource, const std::string& ns, Json object);
  Result<Json> Update(const Resource& resource, const std::string& ns, const std::string& name,
                      Part part, Json object);
  /// `content_type` chooses merge, JSON or strategic patch (the last is taken as a merge: only
  /// kubectl sends it, for the core kinds).
  Result<Json> Patch(const Resource& resource, const std::string& ns, const std::string& name,
                     Part part, const std::string& content_type, const Json& patch);
  /// `options` is a DeleteOptions object or {}.
  Result<Json> Delete(const Resource& resource, const std::string& ns, const std::string& name,
                      const Json& options);

  /// The kubelet's last word: the pod's processes are gone.
  void FinishPod(const std::string& ns, const std::string& name);

  Store& store() { return *store_; }

 private:
  void RemoveIfDone(const Resource& resource, const Json& object);
  void CollectOwned(const std::string& owner_uid);

  Store* const store_;
};

}  // namespace wsf::api
