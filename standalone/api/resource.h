// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace wsf::api {

/// A kind that the embedded API serves: as much of Kubernetes as operator and kubectl need.
struct Resource {
  const char* group;  ///< "" for the core group
  const char* version;
  const char* plural;
  const char* singular;
  const char* kind;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced;
  bool has_status;
  bool has_scale = false;

  /// "v1" or "wsf.dev/v1alpha1".
  std::string group_version() const {
    return *group == '\0' ? version : std::string(group) + "/" + version;
  }
  /// "pods" or "websocketfunctions.wsf.dev".
  std::string qualified() const {
    return *group == '\0' ? plural : std::string(plural) + "." + group;
  }
  /// "/api/v1" or "/apis/wsf.dev/v1alpha1".
  std::string path() const { return *group == '\0' ? "/api/v1" : "/apis/" + group_version(); }
};

const std::vector<Resource>& Resources();

bool IsFunction(const Resource& resource);
bool IsPod(const Resource& resource);

/// nullptr when it is not served.
const Resource* FindResource(const std::string& group_path, const std::string& plural);

}  // namespace wsf::api
