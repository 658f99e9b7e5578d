// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/scale.h"

#include "common/json/read.h"

namespace wsf::api {

using Json = nlohmann::json;

Json ScaleOf(const Json& function) {
  Json metadata = Json::object();
  for (const char* name : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (function["metadata"].contains(name)) metadata[name] = function["metadata"][name];
  }
  const Json& status = json::Members(function, "status");
  // A Scale has no zero in its spec.
  Json spec = Json::object();
  const std::int64_t warm = json::Number(function, "spec", "warmInstances");
  if (warm != 0) spec["replicas"] = warm;
  Json scale = {{"apiVersion", "autoscaling/v1"},
                {"kind", "Scale"},
                {"metadata", metadata},
                {"spec", spec},
                {"status", {{"replicas", json::Number(status, "free")}}}};
  const std::string selector = json::Text(status, "selector");
  if (!selector.empty()) scale["status"]["selector"] = selector;
  return scale;
}

Result<Json> PatchOfScale(const Json& scale) {
  const Json& spec = json::At(scale, "spec");
  const Json& replicas = json::At(spec, "replicas");
  if (!(spec.is_null() || spec.is_object()) ||
      !(replicas.is_null() || replicas.is_number_integer())) {
    return Invalid("spec.replicas must be an integer");
  }
  Json patch = {{"spec", {{"warmInstances", replicas.is_null() ? Json(0) : replicas}}}};
  const Json& metadata = json::Members(scale, "metadata");
  patch["metadata"] = Json::object();
  for (const char* name : {"uid", "resourceVersion"}) {
    if (metadata.contains(name)) patch["metadata"][name] = metadata[name];
  }
  return patch;
}

}  // namespace wsf::api
