// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/resource.h"

#include <string_view>

namespace wsf::api {

const std::vector<Resource>& Resources() {
  static const std::vector<Resource> kResources = {
      {"", "v1", "namespaces", "namespace", "Namespace", {"ns"}, {}, false, false},
      {"", "v1", "pods", "pod", "Pod", {"po"}, {"all"}, true, true},
      {"", "v1", "events", "event", "Event", {"ev"}, {}, true, false},
      {"", "v1", "secrets", "secret", "Secret", {}, {}, true, false},
      {"coordination.k8s.io", "v1", "leases", "lease", "Lease", {}, {}, true, false},
      {"policy",
       "v1",
       "poddisruptionbudgets",
       "poddisruptionbudget",
       "PodDisruptionBudget",
       {"pdb"},
       {},
       true,
       true},
      {"wsf.dev",
       "v1alpha1",
       "websocketfunctions",
       "websocketfunction",
       "WebSocketFunction",
       {"wsf"},
       {"websocketfunctions"},
       true,
       true,
       true},
  };
  return kResources;
}

bool IsFunction(const Resource& resource) {
  return std::string_view(resource.plural) == "websocketfunctions";
}

bool IsPod(const Resource& resource) { return std::string_view(resource.plural) == "pods"; }

const Resource* FindResource(const std::string& group_path, const std::string& plural) {
  for (const Resource& each : Resources()) {
    if (each.path() == group_path && plural == each.plural) return &each;
  }
  return nullptr;
}

}  // namespace wsf::api
