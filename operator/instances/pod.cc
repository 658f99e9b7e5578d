// SPDX-License-Identifier: Apache-2.0
#include "operator/instances/pod.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/time.h"
#include "common/json/read.h"

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

Json SecurityContext(std::int64_t uid, const PodTemplate& common) {
  Json security = {{"allowPrivilegeEscalation", false},
                   {"capabilities", {{"drop", {"ALL"}}}},
                   {"runAsNonRoot", true},
                   {"seccompProfile", {{"type", "RuntimeDefault"}}}};
  if (!common.cluster_gives_ids) security["runAsUser"] = uid;
  return security;
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
                     const std::string& revision, const PodTemplate& common) {
  const spec::FunctionSpec& spec = function.spec;
  Json env = Json::array();
  for (const Json& each : spec.env) {
    if (std::ranges::find(kOwnVariables, json::Text(each, "name")) == std::end(kOwnVariables)) {
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
                    // The end of its log is what its writer is told of a start that failed (K08).
                    {"terminationMessagePolicy", "FallbackToLogsOnError"},
                    {"securityContext", SecurityContext(kServerUid, common)}};
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
  Json security = SecurityContext(kRelayUid, common);
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
    if (json::Text(status, "name") != name) continue;
    result.restarts = json::Number(status, "restartCount");
    const Json& state = json::Members(status, "state");
    result.running = state.contains("running");
    result.terminated = state.contains("terminated");
    const Json& detail = json::Members(state, result.terminated ? "terminated" : "waiting");
    result.exit_code = json::Number(detail, "exitCode");
    result.reason = json::Text(detail, "reason");
    result.message = json::Text(detail, "message");
    // An API server writes null for a time that is not known: of a container on a lost node (P19).
    result.finished = ParseRfc3339(json::Text(detail, "finishedAt"));
    const Json& last = json::Members(status, "lastState", "terminated");
    result.last_exit_code = json::Number(last, "exitCode");
    result.last_reason = json::Text(last, "reason");
    result.last_finished = ParseRfc3339(json::Text(last, "finishedAt"));
    result.last_message = json::Text(last, "message");
  }
  return result;
}

Json MetadataOf(const spec::Function& function, const std::string& name,
                const std::string& revision, const PodTemplate& common) {
  Json labels = json::Members(function.spec.pod, "labels");
  labels[kFunctionLabel] = function.name;
  labels[kRevisionLabel] = revision;
  labels["app.kubernetes.io/name"] = function.name;
  labels["app.kubernetes.io/managed-by"] = "wsf";
  Json annotations = {{"sidecar.istio.io/inject", "false"}};
  annotations.update(json::Members(function.spec.pod, "annotations"));
  if (common.keep_from_eviction || function.spec.eviction != spec::Eviction::kAlways) {
    annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false";
    annotations["karpenter.sh/do-not-disrupt"] = "true";
  }
  if (function.spec.eviction == spec::Eviction::kNever) labels[kEvictionLabel] = "Never";
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

std::string PodTemplate::Version() const {
  const Json shape = {kTemplateVersion,   relay_image,       ResourcesOf(relay_resources),
                      keep_from_eviction, cluster_gives_ids, relay_pull_secrets};
  return shape.dump();
}

Json MakePod(const spec::Function& function, const std::string& name, const std::string& revision,
             const PodTemplate& common) {
  const Json& given = function.spec.pod;
  const Json token = {
      {"audience", "wsf-operator"}, {"expirationSeconds", kTokenSeconds}, {"path", "token"}};
  Json volumes = json::Items(given, "volumes");
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
      {"initContainers", {ServerContainer(function, name, revision, common)}},
      {"containers", {RelayContainer(function, common)}},
      {"volumes", volumes}};
  Copy(given,
       {"imagePullSecrets", "serviceAccountName", "runtimeClassName", "priorityClassName",
        "nodeSelector", "tolerations"},
       &spec);
  spec["nodeSelector"]["kubernetes.io/os"] = "linux";
  for (const std::string& each : common.relay_pull_secrets) {
    Json secret = {{"name", each}};
    Json& all = spec["imagePullSecrets"];
    if (std::ranges::find(all, secret) == all.end()) all.push_back(std::move(secret));
  }
  Copy(given, {"fsGroup"}, &spec["securityContext"]);
  for (Json each : json::Items(given, "topologySpreadConstraints")) {
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
  const Json& metadata = json::Members(object, "metadata");
  const Json& status = json::Members(object, "status");
  const Json& labels = json::Members(metadata, "labels");
  Pod pod;
  pod.uid = json::Text(metadata, "uid");
  pod.version = json::Text(metadata, "resourceVersion");
  pod.ns = json::Text(metadata, "namespace");
  pod.name = json::Text(metadata, "name");
  pod.function = json::Text(labels, kFunctionLabel);
  pod.revision = json::Text(labels, kRevisionLabel);
  pod.created = ParseRfc3339(json::Text(metadata, "creationTimestamp"));
  pod.deleting = metadata.contains("deletionTimestamp");
  pod.deletes_at = ParseRfc3339(json::Text(metadata, "deletionTimestamp"));
  for (const Json& owner : json::Items(metadata, "ownerReferences")) {
    if (json::Flag(owner, "controller")) pod.function_uid = json::Text(owner, "uid");
  }
  pod.grace_seconds = json::NumberOr(
      json::NumberOr(kDefaultGraceSeconds, object, "spec", "terminationGracePeriodSeconds"),
      metadata, "deletionGracePeriodSeconds");
  pod.finalizers = json::Texts(metadata, "finalizers");
  for (const Json& condition : json::Items(status, "conditions")) {
    const std::string type = json::Text(condition, "type");
    const bool is_true = json::Text(condition, "status") == "True";
    pod.disrupted |= is_true && type == "DisruptionTarget";
    pod.sandboxed |= is_true && type == "PodReadyToStartContainers";
    pod.unschedulable |= !is_true && type == "PodScheduled";
  }
  for (const Json& each : json::Items(json::Members(object, "spec"), "initContainers")) {
    pod.server_is_plain_init |=
        json::Text(each, "name") == "function" && json::Text(each, "restartPolicy") != "Always";
  }
  pod.has_node = json::Members(object, "spec").contains("nodeName");
  pod.ip = json::Text(status, "podIP");
  pod.phase = json::Text(status, "phase");
  pod.server = ParseState(json::Items(status, "initContainerStatuses"), "function");
  pod.relay = ParseState(json::Items(status, "containerStatuses"), "relay");
  return pod;
}

}  // namespace wsf::instances
