// SPDX-License-Identifier: Apache-2.0
#include "operator/instances/pod.h"

#include <gtest/gtest.h>

namespace wsf::instances {
namespace {

Json Server(const Json& pod) { return pod["spec"]["initContainers"][0]; }

Json PodWhoseRelayTerminated(const Json& finished_at) {
  const Json terminated = {{"exitCode", 137},
                           {"reason", "ContainerStatusUnknown"},
                           {"startedAt", nullptr},
                           {"finishedAt", finished_at}};
  const Json relay = {{"name", "relay"}, {"state", {{"terminated", terminated}}}};
  return {{"metadata", {{"uid", "u"}}}, {"status", {{"containerStatuses", {relay}}}}};
}

// The node controller gives a node up; the API server has no times of its containers.
TEST(Pod, P19ATimeThatIsNullIsNotKnown) {
  const Pod pod = ParsePod(PodWhoseRelayTerminated(nullptr));
  EXPECT_TRUE(pod.relay.terminated);
  EXPECT_EQ(pod.relay.exit_code, 137);
  EXPECT_EQ(pod.relay.finished, 0);
}

TEST(Pod, ATimeThatIsToldIsRead) {
  EXPECT_EQ(ParsePod(PodWhoseRelayTerminated("1970-01-01T00:00:02Z")).relay.finished, 2000000);
}

// Or handshakes, cookies and all, would be sent wherever a relay likes.
TEST(Pod, S8ARelayIsWhereItsPodIs) {
  Pod pod;
  EXPECT_TRUE(pod.MayBeAt("10.0.0.7:17009")) << "the status is late";
  pod.ip = "10.0.0.7";
  EXPECT_TRUE(pod.MayBeAt("10.0.0.7:17009"));
  EXPECT_FALSE(pod.MayBeAt("10.0.0.8:17009"));
  EXPECT_FALSE(pod.MayBeAt("10.0.0.7:80"));
}

// Each field of a pod that a function may have, with a value of its own: one that is forgotten is
// found, and one that is added later too.
TEST(Pod, D36_every_field_of_the_function_is_in_its_pod) {
  const Json spec = {
      {"image", "i"},
      {"command", {"c"}},
      {"args", {"a"}},
      {"workingDir", "/w"},
      {"env", {{{"name", "E"}, {"value", "1"}}}},
      {"resources", {{"limits", {{"cpu", "1"}}}}},
      {"envFrom", {{{"configMapRef", {{"name", "c"}}}}}},
      {"volumes", {{{"name", "v"}, {"emptyDir", Json::object()}}}},
      {"volumeMounts", {{{"name", "v"}, {"mountPath", "/v"}}}},
      {"imagePullPolicy", "Always"},
      {"imagePullSecrets", {{{"name", "s"}}}},
      {"serviceAccountName", "sa"},
      {"runtimeClassName", "rc"},
      {"priorityClassName", "pc"},
      {"nodeSelector", {{"disk", "fast"}}},
      {"tolerations", {{{"key", "k"}, {"operator", "Exists"}}}},
      {"topologySpreadConstraints",
       {{{"maxSkew", 1}, {"topologyKey", "z"}, {"whenUnsatisfiable", "ScheduleAnyway"}}}},
      {"runAsUser", 7},
      {"runAsGroup", 8},
      {"fsGroup", 9},
      {"labels", {{"team", "t"}}},
      {"annotations", {{"note", "n"}}}};
  for (const char* field : spec::kPodFields) EXPECT_TRUE(spec.contains(field)) << field;
  const spec::Function function =
      spec::ParseFunction({{"metadata", {{"name", "f"}, {"namespace", "n"}}}, {"spec", spec}});
  ASSERT_TRUE(function.errors.empty()) << function.errors.front();
  const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
  const Json& server = pod["spec"]["initContainers"][0];
  const Json& relay = pod["spec"]["containers"][0];
  for (const char* field : {"image", "command", "args", "workingDir", "resources", "envFrom",
                            "volumeMounts", "imagePullPolicy"}) {
    EXPECT_EQ(server.value(field, Json()), spec[field]) << field;
    EXPECT_NE(relay.value(field, Json()), spec[field]) << field << " is the server's alone";
  }
  for (const char* field : {"imagePullSecrets", "serviceAccountName", "runtimeClassName",
                            "priorityClassName", "tolerations"}) {
    EXPECT_EQ(pod["spec"].value(field, Json()), spec[field]) << field;
  }
  EXPECT_EQ(pod["spec"]["nodeSelector"]["disk"], "fast");
  EXPECT_EQ(server["env"][0], spec["env"][0]);
  EXPECT_EQ(pod["spec"]["volumes"][0], spec["volumes"][0]);
  EXPECT_EQ(pod["spec"]["topologySpreadConstraints"][0]["topologyKey"], "z");
  EXPECT_EQ(server["securityContext"]["runAsUser"], 7);
  EXPECT_EQ(server["securityContext"]["runAsGroup"], 8);
  EXPECT_EQ(pod["spec"]["securityContext"]["fsGroup"], 9);
  EXPECT_EQ(pod["metadata"]["labels"]["team"], "t");
  EXPECT_EQ(pod["metadata"]["annotations"]["note"], "n");
}

TEST(Pod, K25_whom_the_administrator_keeps_from_eviction_stays) {
  spec::Function function;
  const std::string name = "cluster-autoscaler.kubernetes.io/safe-to-evict";
  function.spec.pod["annotations"][name] = "true";
  PodTemplate common;
  common.keep_from_eviction = true;
  EXPECT_EQ(MakePod(function, "f-1-0", "f-1", common)["metadata"]["annotations"][name], "false");
}

TEST(Pod, K21_where_the_cluster_gives_ids_only_a_functions_own_is_asked_for) {
  PodTemplate common;
  EXPECT_EQ(Server(MakePod({}, "f-1-0", "f-1", common))["securityContext"]["runAsUser"], 10001);
  common.cluster_gives_ids = true;
  EXPECT_NE(common.Version(), PodTemplate().Version());
  spec::Function function;
  Json pod = MakePod(function, "f-1-0", "f-1", common);
  EXPECT_FALSE(Server(pod)["securityContext"].contains("runAsUser"));
  EXPECT_FALSE(pod["spec"]["containers"][0]["securityContext"].contains("runAsUser"));
  EXPECT_EQ(Server(pod)["securityContext"]["runAsNonRoot"], true);
  function.spec.pod["runAsUser"] = 7;
  pod = MakePod(function, "f-1-0", "f-1", common);
  EXPECT_EQ(Server(pod)["securityContext"]["runAsUser"], 7);
}

TEST(Pod, K54_the_relays_image_has_a_pull_secret_of_its_own) {
  PodTemplate common;
  common.relay_pull_secrets = {"platform", "both"};
  spec::Function function;
  function.spec.pod["imagePullSecrets"] = {{{"name", "both"}}, {{"name", "own"}}};
  const Json pod = MakePod(function, "f-1-0", "f-1", common);
  const Json expected = {{{"name", "both"}}, {{"name", "own"}}, {{"name", "platform"}}};
  EXPECT_EQ(pod["spec"]["imagePullSecrets"], expected);
  EXPECT_NE(common.Version(), PodTemplate().Version());
}

TEST(Pod, K20_an_instance_is_of_linux_whatever_else_is_selected) {
  spec::Function function;
  function.spec.pod["nodeSelector"] = {{"pool", "games"}, {"kubernetes.io/os", "windows"}};
  const Json expected = {{"pool", "games"}, {"kubernetes.io/os", "linux"}};
  EXPECT_EQ(MakePod(function, "f-1-0", "f-1", {})["spec"]["nodeSelector"], expected);
}

TEST(Pod, K25_what_a_function_says_of_eviction_is_on_its_pods) {
  const auto metadata = [](spec::Eviction eviction) {
    spec::Function function;
    function.spec.eviction = eviction;
    return MakePod(function, "f-1-0", "f-1", {})["metadata"];
  };
  const char* const kept = "cluster-autoscaler.kubernetes.io/safe-to-evict";
  EXPECT_FALSE(metadata(spec::Eviction::kAlways)["annotations"].contains(kept));
  for (const auto eviction : {spec::Eviction::kOnUpgrade, spec::Eviction::kNever}) {
    EXPECT_EQ(metadata(eviction)["annotations"][kept], "false");
    EXPECT_EQ(metadata(eviction)["annotations"]["karpenter.sh/do-not-disrupt"], "true");
    EXPECT_EQ(metadata(eviction)["labels"].contains(kEvictionLabel),
              eviction == spec::Eviction::kNever);
  }
}

TEST(Pod, D36_S3_05_another_relay_is_another_revision_and_another_certificate_is_none) {
  PodTemplate one;
  one.relay_image = "relay:1";
  PodTemplate other = one;
  other.relay_certificate = "another";
  other.operator_authority = "another";
  EXPECT_EQ(one.Version(), other.Version());
  other.relay_image = "relay:2";
  EXPECT_NE(one.Version(), other.Version());
  spec::Function function;
  function.name = "f";
  EXPECT_NE(spec::RevisionOf(function, one.Version()), spec::RevisionOf(function, other.Version()));
}

// What its server wrote last is why it could not start (K08).
TEST(Pod, K08_the_end_of_a_servers_log_is_read) {
  const Json last = {{"terminated", {{"exitCode", 3}, {"message", "no such table"}}}};
  const Json server = {{"name", "function"}, {"restartCount", 1}, {"lastState", last}};
  const Pod pod = ParsePod({{"status", {{"initContainerStatuses", {server}}}}});
  EXPECT_EQ(pod.server.last_message, "no such table");
  const Json made = MakePod(spec::Function(), "f-1-0", "f-1", PodTemplate());
  EXPECT_EQ(made["spec"]["initContainers"][0]["terminationMessagePolicy"], "FallbackToLogsOnError");
  EXPECT_FALSE(made["spec"]["containers"][0].contains("terminationMessagePolicy"))
      << "the relay's is its report";
}

TEST(Pod, K20P15AServerThatHearsNoSignalIsGoneSoonAfterItsSessions) {
  spec::Function function;
  function.spec.close_timeout_seconds = 7;
  const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
  EXPECT_EQ(pod["spec"]["terminationGracePeriodSeconds"], 12);
  EXPECT_EQ(ParsePod(pod).grace_seconds, 12);
}

}  // namespace
}  // namespace wsf::instances
