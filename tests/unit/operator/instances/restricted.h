// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace wsf::instances {

/// What a pod has against the Pod Security Standard `restricted`, every field of it, read from the
/// standard and not from MakePod (faults.md S11, G22). Empty = nothing.
inline std::vector<std::string> AgainstRestricted(const nlohmann::json& pod) {
  std::vector<std::string> found;
  const auto must = [&found](bool holds, const std::string& what) {
    if (!holds) found.push_back(what);
  };
  const nlohmann::json& spec = pod["spec"];
  const nlohmann::json of_pod = spec.value("securityContext", nlohmann::json::object());
  for (const char* name : {"hostNetwork", "hostPID", "hostIPC"})
    must(!spec.value(name, false), name);
  must(!of_pod.contains("sysctls"), "sysctls");
  must(!of_pod.contains("windowsOptions"), "windowsOptions");
  must(of_pod.value("runAsUser", 1) != 0, "the pod's runAsUser");
  const std::set<std::string> may = {"configMap", "csi",       "downwardAPI",
                                     "emptyDir",  "ephemeral", "persistentVolumeClaim",
                                     "projected", "secret"};
  for (const nlohmann::json& volume : spec.value("volumes", nlohmann::json::array())) {
    for (const auto& [kind, _] : volume.items())
      must(kind == "name" || may.contains(kind), "volume " + kind);
  }
  const nlohmann::json annotations = pod["metadata"].value("annotations", nlohmann::json::object());
  for (const auto& [name, _] : annotations.items()) {
    must(!name.starts_with("container.apparmor.security.beta.kubernetes.io/"), name);
    must(name.find("seccomp.security.alpha.kubernetes.io") == std::string::npos, name);
  }
  const auto check = [&](const nlohmann::json& container) {
    const std::string name = container.value("name", "");
    const nlohmann::json own = container.value("securityContext", nlohmann::json::object());
    // What a container does not say, its pod says for it.
    const auto said = [&](const char* field) {
      return own.value(field, of_pod.value(field, nlohmann::json()));
    };
    must(!own.value("privileged", false), name + ": privileged");
    must(own.value("allowPrivilegeEscalation", true) == false, name + ": allowPrivilegeEscalation");
    const nlohmann::json capabilities = own.value("capabilities", nlohmann::json::object());
    must(capabilities.value("drop", nlohmann::json::array()) == nlohmann::json{"ALL"},
         name + ": capabilities.drop");
    for (const nlohmann::json& each : capabilities.value("add", nlohmann::json::array()))
      must(each == "NET_BIND_SERVICE", name + ": capabilities.add");
    must(own.value("procMount", "Default") == "Default", name + ": procMount");
    must(said("runAsNonRoot") == true, name + ": runAsNonRoot");
    must(said("runAsUser") != 0, name + ": runAsUser");
    must(said("seLinuxOptions").is_null(), name + ": seLinuxOptions");
    must(said("appArmorProfile").is_null(), name + ": appArmorProfile");
    const nlohmann::json seccomp = said("seccompProfile");
    must(seccomp.is_object() &&
             (seccomp["type"] == "RuntimeDefault" || seccomp["type"] == "Localhost"),
         name + ": seccompProfile");
    for (const nlohmann::json& port : container.value("ports", nlohmann::json::array()))
      must(port.value("hostPort", 0) == 0, name + ": hostPort");
    for (const char* hook : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
      must(
          !container.contains(hook) || container[hook].dump().find("\"host\"") == std::string::npos,
          name + ": " + hook);
  };
  for (const char* kind : {"initContainers", "containers", "ephemeralContainers"}) {
    for (const nlohmann::json& container : spec.value(kind, nlohmann::json::array()))
      check(container);
  }
  return found;
}

}  // namespace wsf::instances
