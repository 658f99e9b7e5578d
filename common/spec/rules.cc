// SPDX-License-Identifier: Apache-2.0
#include "common/spec/rules.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/json/read.h"

namespace wsf::spec {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxNameLength = 40;
constexpr int kRelayPort = 17009;

Json ListOf(const Json& spec, const char* name) { return json::Items(spec, name); }

bool HasOneOf(const Json& object, std::initializer_list<const char*> names) {
  return std::count_if(names.begin(), names.end(),
                       [&object](const char* name) { return object.contains(name); }) == 1;
}

bool IsLabel(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && fits(name.front()) && fits(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return fits(c) || c == '-'; });
}

class Rules {
 public:
  Rules(const Json& object, std::vector<std::string>* errors)
      : spec_(object["spec"]), errors_(errors) {
    const std::string name = json::Text(object, "metadata", "name");
    Must(name.size() <= kMaxNameLength && IsLabel(name),
         "metadata.name must be a DNS label of at most 40 characters (a-z, 0-9 and -)");
  }

  void Check() {
    Timeouts();
    Fleet();
    Environment();
    Volumes();
    Metadata();
  }

 private:
  void Must(bool holds, const std::string& message) {
    if (!holds) errors_->push_back(message);
  }

  void Timeouts() {
    const std::string profile = json::Text(spec_, "limits", "profile");
    const bool has_idle = spec_.contains("idleTimeoutSeconds");
    const int idle = json::NumberOr(profile == "open" ? 0 : 15, spec_, "idleTimeoutSeconds");
    Must(json::Number(spec_, "executionTimeoutSeconds") >= idle,
         "spec.executionTimeoutSeconds must not be below idleTimeoutSeconds (15 where it is not "
         "set)");
    if (!has_idle || idle == 0) return;
    Must(profile != "current" || idle >= 10,
         "spec.idleTimeoutSeconds must be 0 (off) or 10 to 7200 with limits.profile current");
    Must(profile != "legacy2021" || idle <= 600,
         "spec.idleTimeoutSeconds must be 0 (off) or 1 to 600 with limits.profile legacy2021");
  }

  void Fleet() {
    Must(!spec_.contains("maxInstances") || spec_["warmInstances"] <= spec_["maxInstances"],
         "spec.warmInstances must not be above maxInstances");
    Must(spec_["port"] != kRelayPort,
         "spec.port must not be 17009, which is the relay's; take another");
  }

  void Environment() {
    for (const Json& entry : ListOf(spec_, "env")) {
      Must(!(entry.contains("value") && entry.contains("valueFrom")),
           "spec.env must have value or valueFrom, not both");
      Must(!entry.contains("valueFrom") ||
               HasOneOf(entry["valueFrom"],
                        {"configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef"}),
           "spec.env.valueFrom must be one of configMapKeyRef, secretKeyRef, fieldRef, "
           "resourceFieldRef");
    }
    for (const Json& entry : ListOf(spec_, "envFrom")) {
      Must(HasOneOf(entry, {"configMapRef", "secretRef"}),
           "spec.envFrom must have configMapRef or secretRef");
    }
  }

  void Volumes() {
    const Json volumes = ListOf(spec_, "volumes");
    for (const Json& volume : volumes) {
      Must(!absl::StartsWith(json::Text(volume, "name"), "wsf-"),
           "spec.volumes must not have names that start with wsf-, which are the platform's");
      Must(HasOneOf(volume, {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}),
           "spec.volumes must each be one of configMap, secret, emptyDir, persistentVolumeClaim");
    }
    for (const Json& mount : ListOf(spec_, "volumeMounts")) {
      const bool is_known = std::ranges::any_of(
          volumes, [&mount](const Json& volume) { return volume["name"] == mount["name"]; });
      Must(is_known, "spec.volumeMounts must name volumes of spec.volumes");
    }
  }

  void Metadata() {
    MustNotStartWith("labels", {"wsf.dev/"},
                     "spec.labels must not start with wsf.dev/, which are the platform's");
    MustNotStartWith("annotations",
                     {"wsf.dev/", "container.apparmor.security.beta", "seccomp.security.alpha",
                      "container.seccomp.security.alpha"},
                     "spec.annotations must not start with wsf.dev/ nor set apparmor or seccomp");
  }

  void MustNotStartWith(const char* field, std::initializer_list<const char*> prefixes,
                        const std::string& message) {
    const Json& map = json::Members(spec_, field);
    for (const auto& entry : map.items()) {
      Must(std::none_of(prefixes.begin(), prefixes.end(),
                        [&](const char* prefix) { return absl::StartsWith(entry.key(), prefix); }),
           message);
    }
  }

  const Json spec_;
  std::vector<std::string>* const errors_;
};

}  // namespace

void CheckRules(const Json& object, std::vector<std::string>* errors) {
  Rules(object, errors).Check();
}

}  // namespace wsf::spec
