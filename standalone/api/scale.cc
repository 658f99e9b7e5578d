// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/scale.h"

namespace wsf::api {

using Json = nlohmann::json;

Json ScaleOf(const Json& function) {
  Json metadata = Json::object();
  for (const char* name : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (function["metadata"].contains(name)) metadata[name] = function["metadata"][name];
  }
  const Json status = function.value("status", Json::object());
  // A Scale has no zero in its spec.
  Json spec = Json::object();
  const Json warm = function["spec"].value("warmInstances", Json(0));
  if (warm != 0) spec["replicas"] = warm;
  return {{"apiVersion", "autoscaling/v1"},
          {"kind", "Scale"},
          {"metadata", metadata},
          {"spec", spec},
          {"status",
           {{"replicas", status.value("free", 0)}, {"selector", status.value("selector", "")}}}};
}

Result<Json> PatchOfScale(const Json& scale) {
  const Json spec = scale.value("spec", Json::object());
  const Json replicas = spec.is_object() ? spec.value("replicas", Json(0)) : Json();
  if (!replicas.is_number_integer()) return Invalid("spec.replicas must be an integer");
  Json patch = {{"spec", {{"warmInstances", replicas}}}};
  const Json metadata = scale.value("metadata", Json::object());
  patch["metadata"] = Json::object();
  for (const char* name : {"uid", "resourceVersion"}) {
    if (metadata.contains(name)) patch["metadata"][name] = metadata[name];
  }
  return patch;
}

}  // namespace wsf::api
