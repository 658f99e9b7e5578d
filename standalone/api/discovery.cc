// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/discovery.h"

#include <map>
#include <set>

#include "common/spec/crd.h"
#include "standalone/api/resource.h"

namespace wsf::api {
namespace {

using Json = nlohmann::json;

Json Version() {
  return {
      {"major", "1"}, {"minor", "34"}, {"gitVersion", "v1.34.0+wsf"}, {"platform", "linux/amd64"}};
}

Json ResourceEntry(const Resource& resource) {
  Json entry = {
      {"name", resource.plural},
      {"singularName", resource.singular},
      {"namespaced", resource.namespaced},
      {"kind", resource.kind},
      {"verbs",
       {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"}}};
  if (!resource.short_names.empty()) entry["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) entry["categories"] = resource.categories;
  return entry;
}

Json ResourceList(const std::string& path) {
  Json list = Json::array();
  std::string group_version;
  for (const Resource& each : Resources()) {
    if (each.path() != path) continue;
    group_version = each.group_version();
    list.push_back(ResourceEntry(each));
    if (!each.has_status) continue;
    Json status = ResourceEntry(each);
    status["name"] = std::string(each.plural) + "/status";
    status.erase("shortNames");
    status.erase("categories");
    status["verbs"] = {"get", "patch", "update"};
    list.push_back(status);
    if (!each.has_scale) continue;
    Json scale = status;
    scale["name"] = std::string(each.plural) + "/scale";
    scale.update({{"group", "autoscaling"}, {"version", "v1"}, {"kind", "Scale"}});
    list.push_back(scale);
  }
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", group_version},
          {"resources", list}};
}

Json Groups() {
  std::map<std::string, std::string> groups;  // name -> version
  for (const Resource& each : Resources()) {
    if (*each.group != '\0') groups[each.group] = each.version;
  }
  groups["authentication.k8s.io"] = "v1";
  Json list = Json::array();
  for (const auto& [name, version] : groups) {
    const Json entry = {{"groupVersion", name + "/" + version}, {"version", version}};
    list.push_back({{"name", name}, {"versions", {entry}}, {"preferredVersion", entry}});
  }
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", list}};
}

// The kinds that are explained: ours alone, by its definition.
Json SchemasOf(const Resource& resource) {
  if (!IsFunction(resource)) return Json::object();
  Json schema = spec::FunctionSchema();
  schema["x-kubernetes-group-version-kind"] = {
      {{"group", resource.group}, {"version", resource.version}, {"kind", resource.kind}}};
  return {{std::string("dev.wsf.") + resource.version + "." + resource.kind, schema}};
}

// kubectl asks whether PATCH knows fieldValidation and dryRun before it uses them, and explains by
// the schemas.
Json OpenApiOf(const std::string& path) {
  Json paths = Json::object();
  Json schemas = Json::object();
  for (const Resource& each : Resources()) {
    if ("/openapi/v3" + each.path() != path) continue;
    const std::string item = each.path() + (each.namespaced ? "/namespaces/{namespace}/" : "/") +
                             each.plural + "/{name}";
    schemas.update(SchemasOf(each));
    paths[item] = {
        {"patch",
         {{"parameters",
           {{{"name", "fieldValidation"}, {"in", "query"}}, {{"name", "dryRun"}, {"in", "query"}}}},
          {"x-kubernetes-group-version-kind",
           {{"group", each.group}, {"version", each.version}, {"kind", each.kind}}},
          {"responses", Json::object()}}}};
  }
  return {{"openapi", "3.0.0"},
          {"info", {{"title", "wsf"}, {"version", "v1"}}},
          {"paths", paths},
          {"components", {{"schemas", schemas}}}};
}

Json OpenApiIndex() {
  std::set<std::string> group_paths;
  for (const Resource& each : Resources()) group_paths.insert(each.path());
  Json paths = Json::object();
  for (const std::string& path : group_paths) {
    paths[path.substr(1)] = {{"serverRelativeURL", "/openapi/v3" + path}};
  }
  return {{"paths", paths}};
}

}  // namespace

std::optional<Json> Discover(const std::string& path) {
  if (path == "/version") return Version();
  if (path == "/api") return Json{{"kind", "APIVersions"}, {"versions", {"v1"}}};
  if (path == "/apis") return Groups();
  if (path == "/openapi/v3") return OpenApiIndex();
  if (path == "/apis/authentication.k8s.io/v1") {
    return Json{{"kind", "APIResourceList"},
                {"apiVersion", "v1"},
                {"groupVersion", "authentication.k8s.io/v1"},
                {"resources",
                 {{{"name", "tokenreviews"},
                   {"singularName", "tokenreview"},
                   {"namespaced", false},
                   {"kind", "TokenReview"},
                   {"verbs", {"create"}}}}}};
  }
  for (const Resource& each : Resources()) {
    if (path == each.path()) return ResourceList(path);
    if (path == "/openapi/v3" + each.path()) return OpenApiOf(path);
  }
  return std::nullopt;
}

}  // namespace wsf::api
