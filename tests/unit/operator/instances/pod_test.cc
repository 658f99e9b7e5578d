// SPDX-License-Identifier: Apache-2.0
#include "operator/instances/pod.h"

#include <gtest/gtest.h>

namespace wsf::instances {
namespace {

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

TEST(Pod, K20P15AServerThatHearsNoSignalIsGoneSoonAfterItsSessions) {
  spec::Function function;
  function.spec.close_timeout_seconds = 7;
  const Json pod = MakePod(function, "f-1-0", "f-1", PodTemplate());
  EXPECT_EQ(pod["spec"]["terminationGracePeriodSeconds"], 12);
  EXPECT_EQ(ParsePod(pod).grace_seconds, 12);
}

}  // namespace
}  // namespace wsf::instances
