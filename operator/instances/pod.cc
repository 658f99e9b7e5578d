// SPDX-License-Identifier: Apache-2.0
#include "operator/instances/pod.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/time.h"

namespace wsf::instances {
namespace {

// What a relay has beyond the closeTimeout of its sessions to report them (K20).
constexpr int kReportSeconds = 5;
// What an API server gives a pod that asks for none.
constexpr std::int64_t kDefaultGraceSeconds = 30;
constexpr int kServerUid = 10001;
constexpr int kRelayUid = 65532;
constexpr int kTokenSeconds = 3600;
constexpr char kTokenFolder[] = "/var/run/secrets/wsf.dev";

// Set by the platform, whatever the function says (K24).
constexpr std::string_view kOwnVariables[] = {"WSF_FUNCTION", "WSF_NAMESPACE", "WSF_INSTANCE",
                                              "WSF_REVISION", "PORT"};

Json SecurityContext(std::int64_t uid) {
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

// Copies what is given of `names`.
void Copy(const Json& from, std::initializer_list<const char*> names, Json* to) {
  for (const char* name : names) {
    if (from.contains(name)) (*to)[name] = from[name];
  }
}

Json ServerContainer(const spec::Function& function, const std::string& name,
                     const std::string& revision) {
  const spec::FunctionSpec& spec = function.spec;
  Json env = Json::array();
  for (const Json& each : spec.env) {
    if (std::ranges::find(kOwnVariables, each.value("name", "")) == std::end(kOwnVariables)) {
      env.push_back(each);
    }
  }
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
  Copy(spec.pod, {"envFrom", "volumeMounts", "imagePullPolicy"}, &container);
  Copy(spec.pod, {"runAsUser", "runAsGroup"}, &container["securityContext"]);
  return container;
}

Json ResourcesOf(const RelayResources& relay) {
  Json resources = Json::object();
  const auto set = [&resources](const char* kind, const char* name, const std::string& quantity) {
    if (!quantity.empty()) resources[kind][name] = quantity;
  };
  set("requests", "cpu", relay.cpu_request);
  set("requests", "memory", relay.memory_request);
  set("limits", "cpu", relay.cpu_limit);
  set("limits", "memory", relay.memory_limit);
  return resources;
}

// Kubernetes puts variables of the container in place of $(NAME): the relay's are not the user's.
std::string Literal(const std::string& argument) {
  return absl::StrReplaceAll(argument, {{"$", "$$"}});
}

Json RelayContainer(const spec::Function& function, const PodTemplate& common) {
  Json args = {"--pod-uid=$(POD_UID)", absl::StrCat("--operator=", common.operator_address),
               absl::StrCat("--token-file=", kTokenFolder, "/token"),
               absl::StrCat("--advertise=$(POD_IP):", kRelayPort),
               absl::StrCat("--port=", function.spec.port)};
  if (!function.spec.ready_path.empty()) {
    args.push_back(Literal("--ready-path=" + function.spec.ready_path));
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
      {"resources", ResourcesOf(common.relay_resources)},
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
    // An API server writes null for a time that is not known: of a container on a lost node (P19).
    const Json finished = detail.value("finishedAt", Json());
    if (finished.is_string()) result.finished = ParseRfc3339(finished.get<std::string>());
    const Json last = status.value("lastState", Json::object()).value("terminated", Json::object());
    result.last_exit_code = last.value("exitCode", 0);
    result.last_reason = last.value("reason", "");
  }
  return result;
}

Json MetadataOf(const spec::Function& function, const std::string& name,
                const std::string& revision, const PodTemplate& common) {
  Json labels = function.spec.pod.value("labels", Json::object());
  labels[kFunctionLabel] = function.name;
  labels[kRevisionLabel] = revision;
  labels["app.kubernetes.io/name"] = function.name;
  labels["app.kubernetes.io/managed-by"] = "wsf";
  Json annotations = {{"sidecar.istio.io/inject", "false"}};
  if (common.keep_from_eviction) {
    annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false";
  }
  annotations.update(function.spec.pod.value("annotations", Json::object()));
  annotations["kubectl.kubernetes.io/default-container"] = "function";
  const Json owner = {{"apiVersion", "wsf.dev/v1alpha1"},
                      {"kind", "WebSocketFunction"},
                      {"name", function.name},
                      {"uid", function.uid},
                      {"controller", true}};
  return {{"name", name},
          {"namespace", function.ns},
          {"labels", labels},
          {"annotations", annotations},
          {"finalizers", {kLedgerFinalizer}},
          {"ownerReferences", {owner}}};
}

}  // namespace

Json MakePod(const spec::Function& function, const std::string& name, const std::string& revision,
             const PodTemplate& common) {
  const Json& given = function.spec.pod;
  const Json token = {
      {"audience", "wsf-operator"}, {"expirationSeconds", kTokenSeconds}, {"path", "token"}};
  Json volumes = given.value("volumes", Json::array());
  volumes.push_back(
      {{"name", "wsf-token"}, {"projected", {{"sources", {{{"serviceAccountToken", token}}}}}}});
  Json spec = {
      {"restartPolicy", "Never"},
      // Short: a server that is process 1 and has no handler never hears of SIGTERM.
      {"terminationGracePeriodSeconds", function.spec.close_timeout_seconds + kReportSeconds},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"securityContext",
       {{"runAsNonRoot", true}, {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"initContainers", {ServerContainer(function, name, revision)}},
      {"containers", {RelayContainer(function, common)}},
      {"volumes", volumes}};
  Copy(given,
       {"imagePullSecrets", "serviceAccountName", "runtimeClassName", "priorityClassName",
        "nodeSelector", "tolerations"},
       &spec);
  Copy(given, {"fsGroup"}, &spec["securityContext"]);
  for (Json each : given.value("topologySpreadConstraints", Json::array())) {
    each["labelSelector"] = {{"matchLabels", {{kFunctionLabel, function.name}}}};
    spec["topologySpreadConstraints"].push_back(each);
  }
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", MetadataOf(function, name, revision, common)},
          {"spec", spec}};
}

std::string Pod::RelayAddress() const {
  return ip.empty() ? "" : absl::StrCat(ip, ":", kRelayPort);
}

Pod ParsePod(const Json& object) {
  const Json metadata = object.value("metadata", Json::object());
  const Json status = object.value("status", Json::object());
  const Json labels = metadata.value("labels", Json::object());
  Pod pod;
  pod.uid = metadata.value("uid", "");
  pod.version = metadata.value("resourceVersion", "");
  pod.ns = metadata.value("namespace", "");
  pod.name = metadata.value("name", "");
  pod.function = labels.value(kFunctionLabel, "");
  pod.revision = labels.value(kRevisionLabel, "");
  pod.created = ParseRfc3339(metadata.value("creationTimestamp", ""));
  pod.deleting = metadata.contains("deletionTimestamp");
  for (const Json& owner : metadata.value("ownerReferences", Json::array())) {
    if (owner.value("controller", false)) pod.function_uid = owner.value("uid", "");
  }
  pod.grace_seconds =
      metadata.value("deletionGracePeriodSeconds",
                     object.value("spec", Json::object())
                         .value("terminationGracePeriodSeconds", kDefaultGraceSeconds));
  pod.finalizers = metadata.value("finalizers", std::vector<std::string>());
  for (const Json& condition : status.value("conditions", Json::array())) {
    const std::string type = condition.value("type", "");
    const bool is_true = condition.value("status", "") == "True";
    pod.disrupted |= is_true && type == "DisruptionTarget";
    pod.sandboxed |= is_true && type == "PodReadyToStartContainers";
    pod.unschedulable |= !is_true && type == "PodScheduled";
  }
  pod.has_node = object.value("spec", Json::object()).contains("nodeName");
  pod.ip = status.value("podIP", "");
  pod.phase = status.value("phase", "");
  pod.server = ParseState(status.value("initContainerStatuses", Json::array()), "function");
  pod.relay = ParseState(status.value("containerStatuses", Json::array()), "relay");
  return pod;
}

}  // namespace wsf::instances
