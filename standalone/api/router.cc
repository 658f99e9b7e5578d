// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/router.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "common/spec/yaml.h"
#include "standalone/api/discovery.h"
#include "standalone/api/page.h"
#include "standalone/api/protobuf.h"
#include "standalone/api/scale.h"

namespace wsf::api {
namespace {

constexpr std::string_view kFieldsOfFunctions[] = {"metadata.name", "metadata.namespace"};
constexpr char kPeople[] = "system:serviceaccount:wsf-system:wsf-people";
constexpr char kPeopleToken[] = "/api/v1/namespaces/wsf-system/serviceaccounts/wsf-people/token";

std::string Get(const std::map<std::string, std::string>& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

// Whatever is said but a no, as an API server has it: Python's client says True.
bool IsTrue(const std::map<std::string, std::string>& query, const char* name) {
  const std::string value = absl::AsciiStrToLower(Get(query, name));
  return query.contains(name) && value != "0" && value != "false";
}

bool WantsTable(const Request& request) { return absl::StrContains(request.accept, "as=Table"); }

Included IncludedIn(const Request& request) {
  const std::string include = Get(request.query, "includeObject");
  return include == "Object" ? Included::kObject
         : include == "None" ? Included::kNone
                             : Included::kMetadata;
}

const char* TypeName(Change::Type type) {
  switch (type) {
    case Change::Type::kAdded: return "ADDED";
    case Change::Type::kModified: return "MODIFIED";
    case Change::Type::kDeleted: return "DELETED";
  }
  return "";
}

// Clients take a hundred headers; who has more of them wrong reads the first.
constexpr std::size_t kMaxWarnings = 20;
constexpr std::size_t kMaxWarningBytes = 300;

// A quoted string of a header (RFC 9110, section 5.6.4).
std::string Quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json MetadataOfTable(const Json& object) {
  return {{"resourceVersion", json::Text(object, "metadata", "resourceVersion")}};
}

// kubectl asks for it, in this form alone, before it creates a List; an empty one keeps nothing
// from being created. What there is to be known stands in version 3.
Reply OpenApiV2() {
  static constexpr char kSwagger[] =
      "\x0a\x03"
      "2.0"
      "\x12\x0a\x0a\x03wsf\x12\x03"
      "1.0"
      "\x42";
  return {200,
          "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
          std::string(kSwagger, sizeof(kSwagger)),
          {}};
}

bool IsApply(const Request& request) {
  return absl::StartsWith(request.content_type, "application/apply-patch+yaml");
}

// As an API server names who does not name itself.
std::string ManagerOf(const Request& request) {
  const std::string manager = Get(request.query, "fieldManager");
  if (!manager.empty()) return manager;
  const std::string agent = request.user_agent.substr(0, request.user_agent.find('/'));
  return agent.empty() ? "unknown" : agent;
}

std::optional<Json> ParseBody(const Request& request) {
  if (request.body.empty()) return Json::object();
  if (absl::StartsWith(request.content_type, kProtobuf)) return FromProtobuf(request.body);
  if (IsApply(request)) {
    const auto documents = spec::ParseYaml(request.body);
    if (!documents.ok() || documents->size() != 1) return std::nullopt;
    return documents->front();
  }
  return json::Parse(request.body);
}

}  // namespace

Reply JsonReply(int status, const Json& body) {
  return {status,
          "application/json",
          body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n",
          {}};
}

Reply ErrorReply(const Error& error) { return JsonReply(error.code, StatusObject(error)); }

// ---- Watches ----

bool Watch::Selects(const Json& object) const {
  const Json& metadata = object["metadata"];
  return (ns.empty() || json::Text(metadata, "namespace") == ns) &&
         (name.empty() || json::Text(metadata, "name") == name) && labels.MatchesLabels(object) &&
         fields.MatchesFields(object);
}

std::optional<Change> Watch::Seen(const Change& change) const {
  if (change.resource != resource) return std::nullopt;
  const bool is_seen = Selects(*change.object);
  const bool was_seen = change.before != nullptr && Selects(*change.before);
  Change seen = change;
  if (is_seen) {
    if (change.type == Change::Type::kModified && !was_seen) seen.type = Change::Type::kAdded;
    return seen;
  }
  if (!was_seen) return std::nullopt;
  Json last = *change.before;
  last["metadata"]["resourceVersion"] = std::to_string(change.version);
  seen.type = Change::Type::kDeleted;
  seen.object = std::make_shared<const Json>(std::move(last));
  return seen;
}

std::string Watch::Line(const Change& change, std::int64_t now_unix_micros) const {
  const Json object = as_table
                          ? MakeTable(*resource, {change.object}, MetadataOfTable(*change.object),
                                      now_unix_micros, include)
                          : *change.object;
  const Json line = {{"type", TypeName(change.type)}, {"object", object}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Watch::Bookmark(std::uint64_t at, Bookmarked what) const {
  Json object = {{"apiVersion", resource->group_version()},
                 {"kind", resource->kind},
                 {"metadata", {{"resourceVersion", std::to_string(at)}}}};
  if (what == Bookmarked::kInitialEvents) {
    object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  }
  return Json{{"type", "BOOKMARK"}, {"object", object}}.dump() + "\n";
}

Watch Router::StartWatch(const Request& request, const Target& target) {
  Watch watch;
  watch.resource = target.resource;
  watch.ns = target.ns;
  watch.name = target.name;
  watch.labels = Selector(Get(request.query, "labelSelector"));
  watch.fields = Selector(Get(request.query, "fieldSelector"));
  watch.as_table = WantsTable(request);
  watch.include = IncludedIn(request);
  const std::string version = Get(request.query, "resourceVersion");
  watch.from_now = version.empty() || version == "0" || !absl::SimpleAtoi(version, &watch.version);
  watch.initial_events = IsTrue(request.query, "sendInitialEvents");
  watch.from_now |= watch.initial_events;
  if (!absl::SimpleAtoi(Get(request.query, "timeoutSeconds"), &watch.timeout_seconds)) {
    watch.timeout_seconds = 0;
  }
  return watch;
}

// ---- Requests ----

std::optional<Router::Target> Router::ParsePath(const std::string& path) {
  std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  const std::size_t group_parts = !parts.empty() && parts[0] == "api" ? 2 : 3;
  if (parts.size() <= group_parts) return std::nullopt;
  std::string group_path;
  for (std::size_t i = 0; i < group_parts; ++i) group_path += "/" + parts[i];
  std::vector<std::string> rest(parts.begin() + static_cast<std::ptrdiff_t>(group_parts),
                                parts.end());
  Target target;
  // /namespaces/NS/RESOURCE/...; but /namespaces/NS alone is a Namespace.
  if (rest.size() >= 3 && rest[0] == "namespaces") {
    target.ns = rest[1];
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  target.resource = FindResource(group_path, rest[0]);
  if (target.resource == nullptr || rest.size() > 3) return std::nullopt;
  if (rest.size() > 1) target.name = rest[1];
  if (rest.size() > 2) target.subresource = rest[2];
  return target;
}

std::variant<Reply, Watch, Proxy> Router::Handle(const Request& request) {
  try {
    return Dispatch(request);
  } catch (const Json::exception& error) {
    // The one place where a value of the wrong type, anywhere in a body, ends.
    return ErrorReply(BadRequest(std::string("a field has the wrong type: ") + error.what()));
  }
}

std::variant<Reply, Watch, Proxy> Router::Dispatch(const Request& request) {
  if (request.method == "GET") {
    if (const auto document = Discover(request.path)) return JsonReply(200, *document);
    if (request.path == "/openapi/v2") return OpenApiV2();
    if (request.path == "/healthz" || request.path == "/readyz")
      return Reply{200, "text/plain", "ok", {}};
  }
  if (absl::StartsWith(request.path, kSessionsProxy)) {
    const std::string path = request.path.substr(sizeof(kSessionsProxy) - 1);
    return Proxy{backends_.admin_address, request.method,
                 path + (request.raw_query.empty() ? "" : "?" + request.raw_query),
                 request.wsf_token};
  }
  if (request.path == "/apis/authentication.k8s.io/v1/tokenreviews") return ReviewToken(request);
  if (request.path == "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    return ReviewAccess(request);
  if (request.path == kPeopleToken) return RequestToken(request);
  const auto target = ParsePath(request.path);
  if (!target) {
    return ErrorReply({404, "NotFound", "the server could not find the requested resource"});
  }
  if (request.method == "GET") return Read(request, *target);
  const bool is_new = request.method == "POST" ||
                      (IsApply(request) && objects_->store().Find(*target->resource, target->ns,
                                                                  target->name) == nullptr);
  std::vector<std::string> warnings;
  const Result<Json> result = Write(request, *target, &warnings);
  if (const Error* error = std::get_if<Error>(&result)) return ErrorReply(*error);
  Reply reply = JsonReply(is_new ? 201 : 200, std::get<Json>(result));
  if (warnings.size() > kMaxWarnings) warnings.resize(kMaxWarnings);
  for (const std::string& each : warnings) {
    reply.warnings.push_back("299 - " + Quoted(each.substr(0, kMaxWarningBytes)));
  }
  return reply;
}

std::variant<Reply, Watch, Proxy> Router::Read(const Request& request, const Target& target) {
  if (const auto error = CheckSelectors(request, target)) return ErrorReply(*error);
  if (IsTrue(request.query, "watch")) return StartWatch(request, target);
  if (target.name.empty()) return List(request, target);
  if (target.subresource == "log") return Log(request, target);
  const Store::Object object = objects_->store().Find(*target.resource, target.ns, target.name);
  if (object == nullptr) return ErrorReply(NotFound(*target.resource, target.name));
  if (target.subresource == "scale" && target.resource->has_scale) {
    const auto scale = std::make_shared<const Json>(ScaleOf(*object));
    return JsonReply(200, WantsTable(request) ? MakeScaleTable(scale, UnixMicros()) : *scale);
  }
  if (!target.subresource.empty() && target.subresource != "status") {
    return ErrorReply(NotFound(target.subresource, target.name));
  }
  if (!WantsTable(request)) return JsonReply(200, *object);
  return JsonReply(200, MakeTable(*target.resource, {object}, MetadataOfTable(*object),
                                  UnixMicros(), IncludedIn(request)));
}

std::optional<Error> Router::CheckSelectors(const Request& request, const Target& target) {
  if (!Selector(Get(request.query, "labelSelector")).IsOfLabels()) {
    return BadRequest("labelSelector must be like a=b,c!=d,e in (f,g),!h");
  }
  const Selector fields(Get(request.query, "fieldSelector"));
  if (IsFunction(*target.resource) && !fields.FirstKeyBut(kFieldsOfFunctions).empty()) {
    return BadRequest("field label not supported: " + fields.FirstKeyBut(kFieldsOfFunctions));
  }
  return std::nullopt;
}

Reply Router::List(const Request& request, const Target& target) {
  const Selector labels(Get(request.query, "labelSelector"));
  const Selector fields(Get(request.query, "fieldSelector"));
  std::vector<Store::Object> objects;
  for (Store::Object& each : objects_->store().List(*target.resource, target.ns)) {
    if (labels.MatchesLabels(*each) && fields.MatchesFields(*each)) objects.push_back(each);
  }
  const std::string token = Get(request.query, "continue");
  const std::optional<Place> from = FromToken(token);
  std::size_t limit = 0;
  const std::string wanted = Get(request.query, "limit");
  if ((!token.empty() && !from) || (!wanted.empty() && !absl::SimpleAtoi(wanted, &limit))) {
    return ErrorReply(BadRequest("continue must be what a list has given, limit a number"));
  }
  const Page page = MakePage(std::move(objects), from, limit, objects_->store().version());
  Json metadata = {{"resourceVersion", std::to_string(page.version)}};
  if (!page.more.empty()) {
    metadata["continue"] = page.more;
    // Of a selection an API server does not know it.
    const bool is_all =
        Get(request.query, "labelSelector").empty() && Get(request.query, "fieldSelector").empty();
    if (is_all) metadata["remainingItemCount"] = page.remaining;
  }
  if (WantsTable(request)) {
    return JsonReply(200, MakeTable(*target.resource, page.objects, metadata, UnixMicros(),
                                    IncludedIn(request)));
  }
  Json items = Json::array();
  for (const Store::Object& each : page.objects) items.push_back(*each);
  return JsonReply(200, {{"apiVersion", target.resource->group_version()},
                         {"kind", std::string(target.resource->kind) + "List"},
                         {"metadata", metadata},
                         {"items", items}});
}

Result<Json> Router::Write(const Request& request, const Target& target,
                           std::vector<std::string>* warnings) {
  const Resource& resource = *target.resource;
  const bool is_whole = request.method == "POST" || request.method == "PUT";
  if (is_whole && absl::StartsWith(request.content_type, "text/")) {
    return Error{415, "UnsupportedMediaType", "the body must be application/json"};
  }
  std::optional<Json> body = ParseBody(request);
  if (!body && absl::StartsWith(request.content_type, kProtobuf)) {
    return Error{415, "UnsupportedMediaType",
                 "Protocol Buffers are understood of Namespaces and Secrets alone: send JSON"};
  }
  if (!body) return BadRequest("the body is neither JSON nor YAML of one object");
  if (!body->is_object() && !body->is_array()) return BadRequest("the body is not an object");
  const std::string dry_run = Get(request.query, "dryRun");
  if (!dry_run.empty() && dry_run != "All") return Invalid("dryRun must be All");
  Writer by;
  by.is_dry_run = !dry_run.empty();
  by.manager = ManagerOf(request);
  by.subresource = target.subresource;
  by.warnings = warnings;
  const std::string unknown = Get(request.query, "fieldValidation");
  if (unknown == "Ignore") by.unknown = Writer::Unknown::kDropped;
  if (unknown == "Strict") by.unknown = Writer::Unknown::kRefused;
  if (request.method == "POST" && target.name.empty()) {
    return objects_->Create(resource, target.ns, *std::move(body), by);
  }
  if (request.method == "DELETE" && target.name.empty()) {
    return DeleteAll(request, target, *body, by);
  }
  if (target.name.empty()) return Error{405, "MethodNotAllowed", "name an object"};
  if (target.subresource == "scale" && resource.has_scale) return Scale(request, target, *body, by);
  const auto part =
      target.subresource == "status" ? Objects::Part::kStatus : Objects::Part::kObject;
  if (!target.subresource.empty() && part != Objects::Part::kStatus) {
    return NotFound(target.subresource, target.name);
  }
  if (request.method == "PUT") {
    return objects_->Update(resource, target.ns, target.name, part, *std::move(body), by);
  }
  if (request.method == "PATCH" && IsApply(request)) {
    if (Get(request.query, "fieldManager").empty()) {
      return Invalid("fieldManager must be set for an apply");
    }
    const auto force = IsTrue(request.query, "force") ? Objects::Force::kYes : Objects::Force::kNo;
    return objects_->Apply(resource, target.ns, target.name, part, *std::move(body), force, by);
  }
  if (request.method == "PATCH") {
    return objects_->Patch(resource, target.ns, target.name, part, request.content_type, *body, by);
  }
  if (request.method == "DELETE") {
    by.is_dry_run |= !json::Items(*body, "dryRun").empty();  // a DeleteOptions
    Result<Json> deleted = objects_->Delete(resource, target.ns, target.name, *body, by);
    const Json* object = std::get_if<Json>(&deleted);
    // Of what has gone at once only that is told; a pod is told as it was.
    if (object == nullptr || IsPod(resource) || (*object)["metadata"].contains("finalizers")) {
      return deleted;
    }
    return Json{{"kind", "Status"},
                {"apiVersion", "v1"},
                {"metadata", Json::object()},
                {"status", "Success"},
                {"details", NotFound(resource, target.name).details}};
  }
  return Error{405, "MethodNotAllowed", request.method + " is not served"};
}

Result<Json> Router::DeleteAll(const Request& request, const Target& target, const Json& options,
                               const Writer& by) {
  if (auto error = CheckSelectors(request, target)) return *std::move(error);
  const Selector labels(Get(request.query, "labelSelector"));
  const Selector fields(Get(request.query, "fieldSelector"));
  Json items = Json::array();
  for (const Store::Object& each : objects_->store().List(*target.resource, target.ns)) {
    if (!labels.MatchesLabels(*each) || !fields.MatchesFields(*each)) continue;
    objects_->Delete(*target.resource, json::Text(*each, "metadata", "namespace"),
                     json::Text(*each, "metadata", "name"), options, by);
    items.push_back(*each);
  }
  return Json{{"apiVersion", target.resource->group_version()},
              {"kind", std::string(target.resource->kind) + "List"},
              {"metadata", {{"resourceVersion", std::to_string(objects_->store().version())}}},
              {"items", items}};
}

Result<Json> Router::Scale(const Request& request, const Target& target, const Json& body,
                           const Writer& by) {
  if (request.method != "PUT" && request.method != "PATCH") {
    return Error{405, "MethodNotAllowed", request.method + " is not served"};
  }
  Json scale = body;
  if (request.method == "PATCH") {
    const Store::Object object = objects_->store().Find(*target.resource, target.ns, target.name);
    if (object == nullptr) return NotFound(*target.resource, target.name);
    scale = ScaleOf(*object);
    scale.merge_patch(body);
  }
  const Result<Json> patch = PatchOfScale(scale);
  if (std::holds_alternative<Error>(patch)) return patch;
  const Result<Json> written =
      objects_->Patch(*target.resource, target.ns, target.name, Objects::Part::kObject,
                      "application/merge-patch+json", std::get<Json>(patch), by);
  if (std::holds_alternative<Error>(written)) return written;
  return ScaleOf(std::get<Json>(written));
}

Reply Router::Log(const Request& request, const Target& target) {
  const std::string container = Get(request.query, "container");
  const auto text =
      backends_.read_log(target.ns, target.name, container.empty() ? "function" : container);
  if (!text) return ErrorReply(NotFound("logs of pod", target.name));
  return {200, "text/plain", *text, {}};
}

Reply Router::ReviewToken(const Request& request) {
  std::optional<Json> body = ParseBody(request);
  if (request.method != "POST" || !body || !body->contains("spec")) {
    return ErrorReply(BadRequest("POST a TokenReview"));
  }
  const std::string token = json::Text(*body, "spec", "token");
  if (EqualInConstantTime(token, backends_.people_token)) {
    (*body)["status"] = {{"authenticated", true}, {"user", {{"username", kPeople}}}};
  } else {
    (*body)["status"] = backends_.review_token(token);
  }
  return JsonReply(201, *body);
}

// Who asks this API may do everything; of those it gives tokens to, people may.
Reply Router::ReviewAccess(const Request& request) {
  std::optional<Json> body = ParseBody(request);
  if (request.method != "POST" || !body || !body->contains("spec")) {
    return ErrorReply(BadRequest("POST a SubjectAccessReview"));
  }
  (*body)["status"] = {{"allowed", json::Text(*body, "spec", "user") == kPeople}};
  return JsonReply(201, *body);
}

Reply Router::RequestToken(const Request& request) {
  if (request.method != "POST") return ErrorReply(BadRequest("POST a TokenRequest"));
  return JsonReply(201, {{"apiVersion", "authentication.k8s.io/v1"},
                         {"kind", "TokenRequest"},
                         {"status", {{"token", backends_.people_token}}}});
}

}  // namespace wsf::api
