// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/objects.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
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

constexpr char kLastApplied[] = "kubectl.kubernetes.io/last-applied-configuration";

// What kubectl would have kept of this.
std::string LastApplied(Json applied, const Resource& resource, const std::string& name,
                        const std::string& ns) {
  applied["apiVersion"] = resource.group_version();
  applied["kind"] = resource.kind;
  applied["metadata"]["name"] = name;
  if (resource.namespaced) applied["metadata"]["namespace"] = ns;
  if (json::At(applied, "metadata", "annotations").is_object()) {
    applied["metadata"]["annotations"].erase(kLastApplied);
    if (applied["metadata"]["annotations"].empty()) applied["metadata"].erase("annotations");
  }
  return applied.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Now() { return Rfc3339Seconds(UnixMicros()); }

// Of pods nobody asks, and they change many times a second.
bool HasManagers(const Resource& resource) { return !IsPod(resource); }

Json WithoutStatus(const Resource& resource, Json object) {
  if (resource.has_status) object.erase("status");
  return object;
}

// What a write of that part can change.
Json PartOf(const Resource& resource, const Json& object, Objects::Part part) {
  if (part == Objects::Part::kObject) return WithoutStatus(resource, object);
  return {{"status", json::Members(object, "status")}};
}

Manager ManagerOf(const Resource& resource, const Writer& by, const char* operation) {
  return {by.manager, operation, resource.group_version(), by.subresource, Now(), {}};
}

// One after the other: a copy of what a copy has made grows deeper with each.
std::optional<Error> PatchByOperations(const Json& operations, Json* object) {
  for (const Json& each : operations) {
    try {
      *object = object->patch(Json::array({each}));
    } catch (const Json::exception& error) {
      const std::string_view what = error.what();  // behind "[json.exception.KIND.NUMBER] "
      return Invalid("the patch does not fit: " + std::string(what.substr(what.find(']') + 2)));
    }
    if (json::IsTooDeep(*object)) return Invalid("the patch nests deeper than anybody nests");
  }
  return std::nullopt;
}

// What is applied has to be known to the last field, whatever else is asked for.
std::optional<Error> CheckApplied(const Resource& resource, const std::string& ns,
                                  const std::string& name, const Json& applied) {
  if (!IsFunction(resource)) return std::nullopt;
  std::vector<std::string> unknown;
  spec::Pruned(SchemaOf(resource), applied, "", &unknown);
  if (unknown.empty()) return std::nullopt;
  return Error{500, "",
               "failed to create typed patch object (" + ns + "/" + name + "; " +
                   resource.group_version() + ", Kind=" + resource.kind + "): ." + unknown.front() +
                   ": field not declared in schema"};
}

// Drops what the resource's schema does not know.
std::optional<Error> Prune(const Resource& resource, const Writer& by, Json* object) {
  if (!IsFunction(resource)) return std::nullopt;
  std::vector<std::string> dropped;
  *object = spec::Pruned(SchemaOf(resource), std::move(*object), "", &dropped);
  if (by.unknown == Writer::Unknown::kDropped) return std::nullopt;
  for (std::string& each : dropped) each = "unknown field \"" + each + "\"";
  if (by.unknown == Writer::Unknown::kRefused && !dropped.empty()) {
    return BadRequest(std::string(resource.kind) + " in version \"" + resource.version +
                      "\" cannot be handled as a " + resource.kind +
                      ": strict decoding error: " + absl::StrJoin(dropped, ", "));
  }
  if (by.warnings != nullptr) {
    by.warnings->insert(by.warnings->end(), dropped.begin(), dropped.end());
  }
  return std::nullopt;
}

std::string InWords(const Manager& manager) {
  std::string text = "\"" + manager.name + "\"";
  if (!manager.subresource.empty()) text += " with subresource \"" + manager.subresource + "\"";
  if (manager.operation == "Apply") return text;
  return text + " using " + manager.api_version + " at " + manager.time;
}

// As kubectl reads it: it prints the causes one by one.
Error ConflictOf(const std::vector<Managers::Conflict>& conflicts) {
  Json causes = Json::array();
  std::map<std::string, std::vector<std::string>> fields;  // by whose they are
  for (const Managers::Conflict& each : conflicts) {
    const std::string with = InWords(each.manager);
    fields[with].push_back(Readable(each.path));
    causes.push_back({{"reason", "FieldManagerConflict"},
                      {"message", "conflict with " + with},
                      {"field", Readable(each.path)}});
  }
  std::string what = "Apply failed with " + std::to_string(conflicts.size()) +
                     (conflicts.size() == 1 ? " conflict: " : " conflicts: ");
  for (const auto& [with, paths] : fields) {
    if (paths.size() == 1) {
      what += "conflict with " + with + ": " + paths.front();
    } else {
      what += "conflicts with " + with + ":\n- " + absl::StrJoin(paths, "\n- ");
    }
  }
  Error error = Conflict(what);
  error.details = {{"causes", causes}};
  return error;
}

bool IsSecret(const Resource& resource) { return std::string_view(resource.plural) == "secrets"; }

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

// Where what is wanted stands: in an object that is written, or in a delete's options.
enum class Of { kObject, kOptions };

std::optional<Error> CheckPreconditions(const Json& wanted, const Json& stored,
                                        const Resource& resource, Of of = Of::kObject) {
  const Json& metadata = stored["metadata"];
  const std::string name = json::Text(metadata, "name");
  const auto differs = [&](const char* field) {
    const std::string value = json::Text(wanted, field);
    return !value.empty() && value != json::Text(metadata, field);
  };
  const auto failed = [&](const std::string& title, const char* field) {
    return Conflict(resource, name,
                    "Precondition failed: " + title +
                        " in precondition: " + json::Text(wanted, field) + ", " + title +
                        " in object meta: " + json::Text(metadata, field));
  };
  if (differs("uid")) return failed("UID", "uid");
  if (!differs("resourceVersion")) return std::nullopt;
  if (of == Of::kOptions) return failed("ResourceVersion", "resourceVersion");
  return Conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
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
  if (store_->Find(namespaces, "", ns) == nullptr) return NotFound(namespaces, ns);
  return std::nullopt;
}

Result<Json> Objects::Add(const Resource& resource, const std::string& ns, Json object,
                          const Writer& by, const char* operation) {
  if (!object.is_object()) return BadRequest("the body is no object");
  if (const auto error = Prune(resource, by, &object)) return *error;
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
    return Invalid(resource, name,
                   {"metadata.name: \"" + name + "\" must be lower case letters, digits and '-'"});
  }
  if (store_->Find(resource, ns, name) != nullptr) {
    return AlreadyExists(resource, name);
  }
  if (resource.namespaced) metadata["namespace"] = ns;
  if (IsNamespace(resource)) metadata["labels"]["kubernetes.io/metadata.name"] = name;
  if (IsSecret(resource) && json::Text(object, "type").empty()) object["type"] = "Opaque";
  if (const auto error = Validate(resource, object, nullptr)) return *error;
  if (IsFunction(resource)) object.erase("status");
  // Who writes a whole object has its defaults too; who applies, what was applied.
  Json whole = IsFunction(resource) ? spec::Complete(SchemaOf(resource), object) : object;
  if (HasManagers(resource)) {
    Managers managers{Json()};
    const bool applies = operation == std::string_view("Apply");
    managers.OnUpdate(ManagerOf(resource, by, operation), {},
                      LeavesOf(SchemaOf(resource), applies ? object : whole));
    whole["metadata"]["managedFields"] = managers.ToManagedFields();
  }
  object = std::move(whole);
  if (IsNamespace(resource)) {
    object["spec"]["finalizers"] = {"kubernetes"};
    object["status"] = {{"phase", "Active"}};
  }
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
  if (stored == nullptr) return NotFound(resource, name);
  if (!object.is_object() || !object["metadata"].is_object()) {
    return BadRequest("the body is not an object with metadata");
  }
  if (const auto error = CheckPlace(object["metadata"], ns, name)) return *error;
  if (const auto error = CheckKind(resource, object)) return *error;
  // Of our kind a whole object is written on a version only; Kubernetes' own need none.
  if (IsFunction(resource) && json::Text(object, "metadata", "resourceVersion").empty()) {
    return Invalid(resource, name, {"metadata.resourceVersion: must be specified for an update"});
  }
  if (const auto error = CheckPreconditions(object["metadata"], *stored, resource)) return *error;
  if (const auto error = Prune(resource, by, &object)) return *error;
  if (part == Part::kStatus) {
    if (const auto error = CheckStatus(resource, object)) return *error;
  }
  if (part == Part::kObject && IsFunction(resource)) {
    object = spec::Complete(SchemaOf(resource), std::move(object));
  }
  if (HasManagers(resource)) {
    // A client may tell otherwise who has managed what until now: kubectl does, as it moves from
    // client-side to server-side apply.
    const Json& told = json::Items(object, "metadata", "managedFields");
    const Json& known = json::Items(*stored, "metadata", "managedFields");
    Managers managers(told.empty() || part == Part::kStatus ? known : told);
    managers.OnUpdate(ManagerOf(resource, by, "Update"),
                      LeavesOf(SchemaOf(resource), PartOf(resource, *stored, part)),
                      LeavesOf(SchemaOf(resource), PartOf(resource, object, part)));
    object["metadata"]["managedFields"] = managers.ToManagedFields();
  }
  if (part == Part::kObject) return Replace(resource, *stored, std::move(object), by);
  return SaveStatus(resource, *stored, object, by);
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
    return Invalid(
        resource, json::Text(metadata, "name"),
        {"metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
         "being deleted"});
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

Json Objects::SaveStatus(const Resource& resource, const Json& stored, const Json& object,
                         const Writer& by) {
  Json result = stored;
  result["status"] = json::Members(object, "status");
  const Json& managers = json::At(object, "metadata", "managedFields");
  if (!managers.is_null()) result["metadata"]["managedFields"] = managers;
  return Save(resource, stored, std::move(result), by);
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
  if (stored == nullptr) return NotFound(resource, name);
  Json result = *stored;
  if (absl::StartsWith(content_type, "application/json-patch+json")) {
    if (!patch.is_array()) return BadRequest("a JSON patch is a list of operations");
    if (const auto error = PatchByOperations(patch, &result)) return *error;
  } else if (absl::StartsWith(content_type, "application/merge-patch+json") ||
             (absl::StartsWith(content_type, "application/strategic-merge-patch+json") &&
              !IsFunction(resource))) {
    if (!patch.is_object()) return BadRequest("a merge patch is an object");
    result.merge_patch(patch);
  } else {
    return Error{415, "UnsupportedMediaType",
                 "the body of the request was in an unknown format - accepted media types include: "
                 "application/json-patch+json, application/merge-patch+json, "
                 "application/apply-patch+yaml"};
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
  // A patch that makes a field nobody knows is refused as what it makes would be.
  if (const auto error = Prune(resource, by, &result)) return Invalid(error->message);
  return Update(resource, ns, name, part, std::move(result), by);
}

Result<Json> Objects::Apply(const Resource& resource, const std::string& ns,
                            const std::string& name, Part part, Json applied, Force force,
                            const Writer& by) {
  if (!applied.is_object() || !applied["metadata"].is_object()) {
    return BadRequest("the body is not an object with metadata");
  }
  if (applied["metadata"].contains("managedFields")) {
    return BadRequest("metadata.managedFields must be left out of what is applied");
  }
  applied["metadata"]["name"] = name;
  if (const auto error = CheckApplied(resource, ns, name, applied)) return *error;
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr && part == Part::kStatus) return NotFound(resource, name);
  if (stored == nullptr) return Add(resource, ns, std::move(applied), by, "Apply");
  if (const auto error = CheckMetadata(applied["metadata"])) return *error;
  if (const auto error = CheckPreconditions(applied["metadata"], *stored, resource)) return *error;
  const Json& schema = SchemaOf(resource);
  applied = PartOf(resource, applied, part);
  const Leaves wanted = LeavesOf(schema, applied);
  const Leaves found = LeavesOf(schema, *stored);
  const Manager manager = ManagerOf(resource, by, "Apply");
  Managers managers(json::Items(*stored, "metadata", "managedFields"));
  const auto conflicts = managers.ConflictsOf(manager, found, wanted);
  if (force == Force::kNo && !conflicts.empty()) return ConflictOf(conflicts);
  const FieldSet gone = managers.OnApply(manager, found, wanted);
  Json result = Without(schema, Merged(schema, *stored, applied), gone);
  // kubectl's apply on the client's side is to know what its apply on the server's has done.
  if (Json& metadata = result["metadata"];
      by.manager == "kubectl" && json::Members(metadata, "annotations").contains(kLastApplied)) {
    metadata["annotations"][kLastApplied] = LastApplied(applied, resource, name, ns);
  }
  result["metadata"]["managedFields"] = managers.ToManagedFields();
  if (part == Part::kObject) return Replace(resource, *stored, std::move(result), by);
  if (const auto error = CheckStatus(resource, result)) return *error;
  return SaveStatus(resource, *stored, result, by);
}

Result<Json> Objects::Delete(const Resource& resource, const std::string& ns,
                             const std::string& name, const Json& options, const Writer& by) {
  const Store::Object stored = store_->Find(resource, ns, name);
  if (stored == nullptr) return NotFound(resource, name);
  const Json& preconditions = json::Members(options, "preconditions");
  if (const auto error = CheckPreconditions(preconditions, *stored, resource, Of::kOptions))
    return *error;
  Json object = *stored;
  Json& metadata = object["metadata"];
  if (by.is_dry_run) return *stored;
  if (!IsPod(resource) && json::Items(metadata, "finalizers").empty()) {
    return Remove(resource, *stored);
  }
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
  Remove(resource, object);
}

Json Objects::Remove(const Resource& resource, const Json& object) {
  const Json& metadata = object["metadata"];
  store_->Remove(resource, json::Text(metadata, "namespace"), json::Text(metadata, "name"));
  CollectOwned(json::Text(metadata, "uid"));
  return object;
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
