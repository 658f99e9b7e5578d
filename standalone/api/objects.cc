// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/objects.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "common/spec/schema.h"
#include "standalone/api/checks.h"
#include "standalone/api/managers.h"

namespace wsf::api {
namespace {

constexpr int kDefaultGraceSeconds = 30;
constexpr std::size_t kGeneratedLength = 5;

std::string Now() { return Rfc3339Seconds(UnixMicros()); }

// Those that people write. Of the others nobody asks, and they change many times a second.
bool HasManagers(const Resource& resource) {
  const std::string_view plural = resource.plural;
  return plural != "pods" && plural != "events" && plural != "leases";
}

Json WithoutStatus(const Resource& resource, Json object) {
  if (resource.has_status) object.erase("status");
  return object;
}

Manager ManagerOf(const Resource& resource, const Writer& by, const char* operation) {
  return {by.manager, operation, resource.group_version(), Now(), {}};
}

Error ConflictOf(const std::vector<Managers::Conflict>& conflicts) {
  std::string what = "Apply failed with " + std::to_string(conflicts.size()) +
                     (conflicts.size() == 1 ? " conflict:" : " conflicts:");
  for (const Managers::Conflict& each : conflicts) {
    what += "\n- " + Readable(each.path) + " is managed by \"" + each.manager + "\"";
  }
  return Conflict(what);
}

bool IsNamespace(const Resource& resource) {
  return std::string_view(resource.plural) == "namespaces";
}

bool HasNewFinalizer(const Json& stored, const Json& metadata) {
  if (!stored.contains("deletionTimestamp")) return false;
  const Json& old = json::Items(stored, "finalizers");
  const Json& now = json::Items(metadata, "finalizers");
  return std::any_of(now.begin(), now.end(), [&old](const Json& each) {
    return std::find(old.begin(), old.end(), each) == old.end();
  });
}

std::optional<Error> CheckPreconditions(const Json& wanted, const Json& stored,
                                        const Resource& resource) {
  const Json& metadata = stored["metadata"];
  const std::string name = json::Text(metadata, "name");
  for (const char* field : {"uid", "resourceVersion"}) {
    const std::string value = json::Text(wanted, field);
    if (!value.empty() && value != json::Text(metadata, field)) {
      return Conflict("Operation cannot be fulfilled on " + std::string(resource.plural) + " \"" +
                      name + "\": the object has been modified; please apply your changes to the " +
                      "latest version and try again (" + field + ")");
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Json> Objects::Create(const Resource& resource, const std::string& ns, Json object,
                             const Writer& by) {
  return Add(resource, ns, std::move(object), by, "Update");
}

std::optional<Error> Objects::CheckNew(const Resource& resource, const std::string& ns,
                                       const Json& metadata) const {
  if (!json::Text(metadata, "resourceVersion").empty()) {
    return Error{500, "", "resourceVersion should not be set on objects to be created"};
  }
  if (!resource.namespaced) return std::nullopt;
  if (ns.empty()) return Error{404, "NotFound", "name a namespace: /namespaces/NAME/..."};
  if (const auto error = CheckPlace(metadata, ns, json::Text(metadata, "name"))) return error;
  const Resource& namespaces = *FindResource("/api/v1", "namespaces");
  if (store_->Find(namespaces, "", ns) == nullptr) return NotFound(namespaces.plural, ns);
  return std::nullopt;
}

Result<Json> Objects::Add(const Resource& resource, const std::string& ns, Json object,
                          const Writer& by, const char* operation) {
  if (!object.is_object()) return BadRequest("the body is no object");
  Json& metadata = object["metadata"];
  if (metadata.is_null()) metadata = Json::object();
  if (!metadata.is_object()) return BadRequest("metadata is no object");
  if (const auto error = CheckKind(resource, object)) return *error;
  if (const auto error = CheckMetadata(metadata)) return *error;
  if (const auto error = CheckNew(resource, ns, metadata)) return *error;
  const std::string prefix = json::Text(metadata, "generateName");
  if (!prefix.empty() && json::Text(metadata, "name").empty()) {
    metadata["name"] = prefix + NewUuid().substr(0, kGeneratedLength);
  }
  const std::string name = json::Text(metadata, "name");
  if (!IsName(name)) {
    return Invalid("metadata.name: \"" + name + "\" must be lower case letters, digits and '-'");
  }
  if (store_->Find(resource, ns, name) != nullptr) {
    return Error{409, "AlreadyExists",
                 std::string(resource.plural) + " \"" + name + "\" already exists"};
  }
  if (resource.namespaced) metadata["namespace"] = ns;
  if (IsNamespace(resource)) {
    metadata["labels"]["kubernetes.io/metadata.name"] = name;
    object["spec"]["finalizers"] = {"kubernetes"};
  }
  if (const auto error = Validate(resource, object, nullptr)) return *error;
  if (IsFunction(resource)) object.erase("status");
  if (HasManagers(resource)) {
    Managers managers{Json()};
    managers.OnUpdate(ManagerOf(resource, by, operation), {}, LeavesOf(SchemaOf(resource), object));
    metadata["managedFields"] = managers.ToManagedFields();
  }
  if (IsFunction(resource)) object = spec::Complete(SchemaOf(resource), std::move(object));
  object["metadata"]["uid"] = NewUuid();
  object["metadata"]["creationTimestamp"] = Now();
  if (resource.has_status) object["metadata"]["generation"] = 1;
  object["apiVersion"] = resource.group_version();
  object["kind"] = resource.kind;
  if (IsPod(resource)) object["status"] = {{"phase", "Pending"}};
  if (by.is_dry_run) return object;
  return *store_->Put(resource, std::move(object));
}

Result<Json> Objects::Update(const Resource& resource, const std::string& ns,
                             const std::string& name, Part part, Json object, const Writer& by) {
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr) return NotFound(resource.plural, name);
  if (!object.is_object() || !object["metadata"].is_object()) {
    return BadRequest("the body is not an object with metadata");
  }
  if (const auto error = CheckPlace(object["metadata"], ns, name)) return *error;
  if (const auto error = CheckKind(resource, object)) return *error;
  // Of our kind a whole object is written on a version only; Kubernetes' own need none.
  if (IsFunction(resource) && json::Text(object, "metadata", "resourceVersion").empty()) {
    return Invalid("metadata.resourceVersion: must be specified for an update");
  }
  if (const auto error = CheckPreconditions(object["metadata"], *stored, resource)) return *error;
  if (part == Part::kStatus) {
    if (const auto error = CheckStatus(resource, object)) return *error;
    Json result = *stored;
    result["status"] = json::Members(object, "status");
    return Save(resource, *stored, std::move(result), by);
  }
  if (HasManagers(resource)) {
    // A client may tell otherwise who has managed what until now: kubectl does, as it moves from
    // client-side to server-side apply.
    const Json& told = json::At(object, "metadata", "managedFields");
    const Json& known = json::Items(*stored, "metadata", "managedFields");
    Managers managers(told.is_null() ? known : json::AsItems(told));
    managers.OnUpdate(ManagerOf(resource, by, "Update"), LeavesOf(SchemaOf(resource), *stored),
                      LeavesOf(SchemaOf(resource), WithoutStatus(resource, object)));
    object["metadata"]["managedFields"] = managers.ToManagedFields();
  }
  return Replace(resource, *stored, std::move(object), by);
}

Result<Json> Objects::Replace(const Resource& resource, const Json& stored, Json object,
                              const Writer& by) {
  // What a client may not change stays.
  Json& metadata = object["metadata"];
  for (const char* fixed : {"uid", "name", "namespace", "creationTimestamp", "generation",
                            "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    if (stored["metadata"].contains(fixed)) {
      metadata[fixed] = stored["metadata"][fixed];
    } else {
      metadata.erase(fixed);
    }
  }
  object["apiVersion"] = resource.group_version();
  object["kind"] = resource.kind;
  if (const auto error = CheckMetadata(metadata)) return *error;
  if (HasNewFinalizer(stored["metadata"], metadata)) {
    return Invalid("metadata.finalizers must not get more once the object is being deleted");
  }
  object = WithoutStatus(resource, std::move(object));
  if (const auto error = Validate(resource, object, &stored)) return *error;
  if (IsFunction(resource)) object = spec::Complete(SchemaOf(resource), std::move(object));
  if (resource.has_status) {
    if (stored.contains("status")) object["status"] = stored["status"];
    if (json::At(object, "spec") != json::At(stored, "spec")) {
      object["metadata"]["generation"] = json::NumberOr(1, stored, "metadata", "generation") + 1;
    }
  }
  return Save(resource, stored, std::move(object), by);
}

Json Objects::Save(const Resource& resource, const Json& stored, Json object, const Writer& by) {
  object["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"];
  // Where nothing has changed there is no new version, and no event.
  if (by.is_dry_run || object == stored) return object;
  const Json written = *store_->Put(resource, std::move(object));
  RemoveIfDone(resource, written);
  return written;
}

Result<Json> Objects::Patch(const Resource& resource, const std::string& ns,
                            const std::string& name, Part part, const std::string& content_type,
                            const Json& patch, const Writer& by) {
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr) return NotFound(resource.plural, name);
  Json result = *stored;
  if (absl::StartsWith(content_type, "application/json-patch+json")) {
    if (!patch.is_array()) return BadRequest("a JSON patch is a list of operations");
    try {
      result = result.patch(patch);
    } catch (const Json::exception& error) {
      return Invalid(std::string("the patch does not fit: ") + error.what());
    }
  } else if (absl::StartsWith(content_type, "application/merge-patch+json") ||
             (absl::StartsWith(content_type, "application/strategic-merge-patch+json") &&
              !IsFunction(resource))) {
    result.merge_patch(patch);
  } else {
    return Error{415, "UnsupportedMediaType", "patches of " + content_type + " are not served"};
  }
  if (result.is_object() && CheckKind(resource, result)) {
    return Invalid("apiVersion and kind cannot be changed");
  }
  // A version named in the patch is a precondition; else the one just read is current.
  const Json& metadata = result["metadata"];
  if (metadata.is_object() && json::At(metadata, "uid") != (*stored)["metadata"]["uid"] &&
      json::At(metadata, "resourceVersion") == (*stored)["metadata"]["resourceVersion"]) {
    return Invalid("metadata.uid must stay as it is");
  }
  return Update(resource, ns, name, part, std::move(result), by);
}

Result<Json> Objects::Apply(const Resource& resource, const std::string& ns,
                            const std::string& name, Json applied, Force force, const Writer& by) {
  if (!applied.is_object() || !applied["metadata"].is_object()) {
    return BadRequest("the body is not an object with metadata");
  }
  if (applied["metadata"].contains("managedFields")) {
    return BadRequest("metadata.managedFields must be left out of what is applied");
  }
  applied["metadata"]["name"] = name;
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr) return Add(resource, ns, std::move(applied), by, "Apply");
  if (const auto error = CheckMetadata(applied["metadata"])) return *error;
  if (const auto error = CheckPreconditions(applied["metadata"], *stored, resource)) return *error;
  const Json& schema = SchemaOf(resource);
  applied = WithoutStatus(resource, std::move(applied));
  const Leaves wanted = LeavesOf(schema, applied);
  const Leaves found = LeavesOf(schema, *stored);
  const Manager manager = ManagerOf(resource, by, "Apply");
  Managers managers(json::Items(*stored, "metadata", "managedFields"));
  const auto conflicts = managers.ConflictsOf(manager, found, wanted);
  if (force == Force::kNo && !conflicts.empty()) return ConflictOf(conflicts);
  const FieldSet gone = managers.OnApply(manager, found, wanted);
  Json result = Without(schema, Merged(schema, *stored, applied), gone);
  result["metadata"]["managedFields"] = managers.ToManagedFields();
  return Replace(resource, *stored, std::move(result), by);
}

Result<Json> Objects::Delete(const Resource& resource, const std::string& ns,
                             const std::string& name, const Json& options, const Writer& by) {
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr) return NotFound(resource.plural, name);
  const Json& preconditions = json::Members(options, "preconditions");
  if (const auto error = CheckPreconditions(preconditions, *stored, resource)) return *error;
  Json object = *stored;
  Json& metadata = object["metadata"];
  if (by.is_dry_run) return *stored;
  const bool was_deleting = metadata.contains("deletionTimestamp");
  std::int64_t grace = 0;
  if (IsPod(resource)) {
    const Json& spec = json::Members(object, "spec");
    grace =
        json::NumberOr(json::NumberOr(kDefaultGraceSeconds, spec, "terminationGracePeriodSeconds"),
                       options, "gracePeriodSeconds");
    if (was_deleting) {
      grace = std::min(grace, json::NumberOr(grace, metadata, "deletionGracePeriodSeconds"));
    }
  }
  if (!was_deleting) metadata["deletionTimestamp"] = Now();
  if (!was_deleting && metadata.contains("generation")) {
    metadata["generation"] = json::NumberOr(1, metadata, "generation") + 1;
  }
  metadata["deletionGracePeriodSeconds"] = grace;
  const Json written = object == *stored ? *stored : *store_->Put(resource, std::move(object));
  RemoveIfDone(resource, written);
  return written;
}

void Objects::RemoveIfDone(const Resource& resource, const Json& object) {
  const Json& metadata = object["metadata"];
  if (!metadata.contains("deletionTimestamp")) return;
  if (!json::Items(metadata, "finalizers").empty()) return;
  // A pod goes when its processes have (FinishPod), or by force.
  const bool by_force = json::Number(metadata, "deletionGracePeriodSeconds") == 0;
  if (IsPod(resource) && !by_force) return;
  store_->Remove(resource, json::Text(metadata, "namespace"), json::Text(metadata, "name"));
  CollectOwned(json::Text(metadata, "uid"));
}

void Objects::FinishPod(const std::string& ns, const std::string& name) {
  const Resource& pods = *FindResource("/api/v1", "pods");
  const Store::Object stored = store_->Find(pods, ns, name);
  if (stored == nullptr || !(*stored)["metadata"].contains("deletionTimestamp")) return;
  // Its finalizers may keep it a while: it is told once.
  if (json::NumberOr(-1, *stored, "metadata", "deletionGracePeriodSeconds") == 0) {
    return RemoveIfDone(pods, *stored);
  }
  Json object = *stored;
  object["metadata"]["deletionGracePeriodSeconds"] = 0;
  RemoveIfDone(pods, *store_->Put(pods, std::move(object)));
}

void Objects::CollectOwned(const std::string& owner_uid) {
  for (const Resource& resource : Resources()) {
    for (const Store::Object& object : store_->List(resource, "")) {
      const Json& metadata = (*object)["metadata"];
      const Json& owners = json::Items(metadata, "ownerReferences");
      const bool owned = std::any_of(owners.begin(), owners.end(), [&](const Json& owner) {
        return json::Text(owner, "uid") == owner_uid;
      });
      if (owned && !metadata.contains("deletionTimestamp")) {
        Delete(resource, json::Text(metadata, "namespace"), json::Text(metadata, "name"),
               Json::object());
      }
    }
  }
}

}  // namespace wsf::api
