// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/version.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"

namespace wsf::kube {
namespace {

constexpr int kMajor = 1;
constexpr int kLeastMinor = 29;

// "29+" is what some providers say.
int Leading(const std::string& digits) { return std::atoi(digits.c_str()); }

}  // namespace

std::string AgainstVersion(const Json& version) {
  const std::string name = json::TextOr("of an unknown version", version, "gitVersion");
  const int major = Leading(json::Text(version, "major"));
  const int minor = Leading(json::Text(version, "minor"));
  if (major > kMajor || (major == kMajor && minor >= kLeastMinor)) return "";
  return absl::StrCat("Kubernetes ", name, " is not supported: instances need native sidecars, ",
                      "which it has from ", kMajor, ".", kLeastMinor, " on");
}

}  // namespace wsf::kube
