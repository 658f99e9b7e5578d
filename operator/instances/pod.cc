// SPDX-License-Identifier: Apache-2.0
#include "operator/instances/pod.h"

#include "absl/strings/str_cat.h"
#include "common/base/time.h"

namespace wsf::instances {
namespace {

// The greatest closeTimeout and five seconds (K20).
constexpr int kGracePeriodSeconds = 65;
constexpr int kServerUid = 10001;
constexpr int kRelayUid = 65532;
constexpr int kTokenSeconds = 3600;
constexpr char kTokenFolder[] = "/var/run/secrets/wsf.dev";

Json SecurityContext(int uid) {
  return {{"allowPrivilegeEscalation", false},
          {"capabilities", {{"drop", {"ALL"}}}},
          {"runAsNonRoot", true},
          {"runAsUser", uid},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json FromField(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

Json Variable(const char* name, const std::string& value) {
  return {{"name", name}, {"value", value}};
}

Json ServerContainer(const spec::Function& function, const std::string& name,
                     const std::string& revision) {
  const spec::FunctionSpec& spec = function.spec;
  Json env = spec.env;
  env.push_back(Variable("WSF_FUNCTION", function.name));
  env.push_back(Variable("WSF_NAMESPACE", function.ns));
  env.push_back(Variable("WSF_INSTANCE", name));
  env.push_back(Variable("WSF_REVISION", revision));
  env.push_back(Variable("PORT", absl::StrCat(spec.port)));
  Json container = {{"name", "function"},
                    {"image", spec.image},
                    {"restartPolicy", "Always"},
                    {"env", env},
                    {"ports", {{{"name", "server"}, {"containerPort", spec.port}}}},
                    {"resources", spec.resources},
                    {"securityContext", SecurityContext(kServerUid)}};
  if (!spec.command.empty()) container["command"] = spec.command;
  if (!spec.args.empty()) container["args"] = spec.args;
  if (!spec.working_dir.empty()) container["workingDir"] = spec.working_dir;
  return container;
}

Json RelayContainer(const spec::Function& function, const PodTemplate& common) {
  Json args = {"--pod-uid=$(POD_UID)", absl::StrCat("--operator=", common.operator_address),
               absl::StrCat("--token-file=", kTokenFolder, "/token"),
               absl::StrCat("--advertise=$(POD_IP):", kRelayPort),
               absl::StrCat("--port=", function.spec.port)};
  if (!function.spec.ready_path.empty()) {
    args.push_back("--ready-path=" + function.spec.ready_path);
  }
  Json security = SecurityContext(kRelayUid);
  security["readOnlyRootFilesystem"] = true;
  return {
      {"name", "relay"},
      {"image", common.relay_image},
      {"command", {"/wsf-sidecar"}},
      {"args", args},
      {"env",
       {FromField("POD_UID", "metadata.uid"), FromField("POD_IP", "status.podIP"),
        Variable("WSF_OPERATOR_CA", common.operator_authority),
        Variable("WSF_RELAY_CERT", common.relay_certificate),
        Variable("WSF_RELAY_KEY", common.relay_key)}},
      {"ports", {{{"name", "relay"}, {"containerPort", kRelayPort}}}},
      {"resources",
       {{"requests", {{"cpu", "5m"}, {"memory", "8Mi"}}}, {"limits", {{"memory", "32Mi"}}}}},
      {"volumeMounts", {{{"name", "wsf-token"}, {"mountPath", kTokenFolder}, {"readOnly", true}}}},
      {"securityContext", security}};
}

ContainerState ParseState(const Json& statuses, const std::string& name) {
  ContainerState result;
  for (const Json& status : statuses) {
    if (status.value("name", "") != name) continue;
    result.restarts = status.value("restartCount", 0);
    const Json state = status.value("state", Json::object());
    result.running = state.contains("running");
    result.terminated = state.contains("terminated");
    const Json detail = state.value("terminated", state.value("waiting", Json::object()));
    result.exit_code = detail.value("exitCode", 0);
    result.reason = detail.value("reason", "");
    result.message = detail.value("message", "");
    result.finished = ParseRfc3339(detail.value("finishedAt", ""));
    const Json last = status.value("lastState", Json::object()).value("terminated", Json::object());
    result.last_exit_code = last.value("exitCode", 0);
    result.last_reason = last.value("reason", "");
  }
  return result;
}

}  // namespace

Json MakePod(const spec::Function& function, const std::string& name, const std::string& revision,
             const PodTemplate& common) {
  const Json labels = {{kFunctionLabel, function.name},
                       {kRevisionLabel, revision},
                       {"app.kubernetes.io/name", function.name},
                       {"app.kubernetes.io/managed-by", "wsf"}};
  const Json owner = {{"apiVersion", "wsf.dev/v1alpha1"},
                      {"kind", "WebSocketFunction"},
                      {"name", function.name},
                      {"uid", function.uid},
                      {"controller", true}};
  const Json token = {
      {"audience", "wsf-operator"}, {"expirationSeconds", kTokenSeconds}, {"path", "token"}};
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", name},
            {"namespace", function.ns},
            {"labels", labels},
            {"annotations",
             {{"kubectl.kubernetes.io/default-container", "function"},
              {"sidecar.istio.io/inject", "false"}}},
            {"finalizers", {kLedgerFinalizer}},
            {"ownerReferences", {owner}}}},
          {"spec",
           {{"restartPolicy", "Never"},
            {"terminationGracePeriodSeconds", kGracePeriodSeconds},
            {"automountServiceAccountToken", false},
            {"enableServiceLinks", false},
            {"securityContext", {{"seccompProfile", {{"type", "RuntimeDefault"}}}}},
            {"initContainers", {ServerContainer(function, name, revision)}},
            {"containers", {RelayContainer(function, common)}},
            {"volumes",
             {{{"name", "wsf-token"},
               {"projected", {{"sources", {{{"serviceAccountToken", token}}}}}}}}}}}};
}

Pod ParsePod(const Json& object) {
  const Json metadata = object.value("metadata", Json::object());
  const Json status = object.value("status", Json::object());
  const Json labels = metadata.value("labels", Json::object());
  Pod pod;
  pod.uid = metadata.value("uid", "");
  pod.ns = metadata.value("namespace", "");
  pod.name = metadata.value("name", "");
  pod.function = labels.value(kFunctionLabel, "");
  pod.revision = labels.value(kRevisionLabel, "");
  pod.created = ParseRfc3339(metadata.value("creationTimestamp", ""));
  pod.deleting = metadata.contains("deletionTimestamp");
  for (const Json& owner : metadata.value("ownerReferences", Json::array())) {
    if (owner.value("controller", false)) pod.function_uid = owner.value("uid", "");
  }
  pod.grace_seconds = metadata.value(
      "deletionGracePeriodSeconds",
      object.value("spec", Json::object())
          .value("terminationGracePeriodSeconds", std::int64_t{kGracePeriodSeconds}));
  pod.finalizers = metadata.value("finalizers", std::vector<std::string>());
  for (const Json& condition : status.value("conditions", Json::array())) {
    const std::string type = condition.value("type", "");
    const bool is_true = condition.value("status", "") == "True";
    pod.disrupted |= is_true && type == "DisruptionTarget";
    pod.sandboxed |= is_true && type == "PodReadyToStartContainers";
    pod.unschedulable |= !is_true && type == "PodScheduled";
  }
  pod.ip = status.value("podIP", "");
  pod.phase = status.value("phase", "");
  pod.server = ParseState(status.value("initContainerStatuses", Json::array()), "function");
  pod.relay = ParseState(status.value("containerStatuses", Json::array()), "relay");
  return pod;
}

}  // namespace wsf::instances
