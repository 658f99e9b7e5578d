// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/failure.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace wsf::fleet {
namespace {

TEST(StartFailure, K08_H11_D37_the_last_words_of_a_server_are_for_its_writer_alone) {
  instances::Pod pod;
  pod.server.restarts = 1;
  pod.server.last_exit_code = 3;
  pod.server.last_message = "secret table is missing";
  const auto again = StartFailure(pod, spec::Function(), InitTime::kLeft);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->code, 405);
  EXPECT_FALSE(absl::StrContains(again->message, "secret")) << "strangers read it";
  EXPECT_TRUE(absl::StrContains(http::FullMessage(*again), "secret table is missing"));
  pod.server.terminated = true;
  pod.server.message = "another word";
  const auto now = StartFailure(pod, spec::Function(), InitTime::kLeft);
  EXPECT_TRUE(absl::StrContains(http::FullMessage(*now), "another word"));
}

TEST(StartFailure, D43_what_is_the_platforms_is_not_told_as_the_functions) {
  const auto failure = [](const instances::Pod& pod, InitTime time) {
    return StartFailure(pod, spec::Function(), time);
  };
  instances::Pod pod;
  pod.server.running = true;
  EXPECT_FALSE(failure(pod, InitTime::kLeft));
  const auto late = failure(pod, InitTime::kOver);
  EXPECT_EQ(late->code, 447);
  EXPECT_TRUE(absl::StrContains(late->message, "relay"));
  for (const auto& [reason, code] :
       {std::pair("ImagePullBackOff", 444), std::pair("ErrImageNeverPull", 444),
        std::pair("CreateContainerConfigError", 445), std::pair("RunContainerError", 445)}) {
    pod.relay.reason = reason;
    pod.relay.message = "registry.internal says no";
    const auto refusal = failure(pod, InitTime::kLeft);
    ASSERT_TRUE(refusal) << reason;
    EXPECT_EQ(refusal->code, code);
    EXPECT_TRUE(absl::StrContains(refusal->message, "the platform's relay"));
    EXPECT_FALSE(absl::StrContains(refusal->message, "registry.internal")) << "strangers read it";
  }
  pod.relay = {};
  pod.relay.running = true;
  EXPECT_EQ(failure(pod, InitTime::kOver)->code, 446);
}

TEST(StartFailure, K20_a_pod_that_a_webhook_has_changed_is_not_waited_for) {
  instances::Pod pod;
  pod.server_is_plain_init = true;
  const auto refusal = StartFailure(pod, spec::Function(), InitTime::kLeft);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, 445);
  EXPECT_FALSE(refusal->may_pass);
  EXPECT_TRUE(absl::StrContains(http::FullMessage(*refusal), "webhook"));
}

TEST(CreateFailure, K04_H07_a_quota_is_told_as_one_and_may_have_room_again) {
  const http::Refusal full =
      CreateFailure("pods \"f-1\" is forbidden: exceeded quota: team-a, used: pods=10");
  EXPECT_EQ(full.code, 449);
  EXPECT_TRUE(full.may_pass);
  EXPECT_TRUE(absl::StrContains(http::FullMessage(full), "team-a"));
  EXPECT_FALSE(absl::StrContains(full.message, "team-a")) << "strangers read it";
  for (const char* words : {"minimum memory usage per Container is 16Mi, but request is 8Mi",
                            "failed quota: team-a: must specify limits.cpu for: relay"}) {
    EXPECT_EQ(CreateFailure(words).code, 449) << words;
    EXPECT_FALSE(CreateFailure(words).may_pass) << words;
  }
  EXPECT_EQ(CreateFailure("serviceaccount \"x\" not found").code, 500);
}

TEST(StartFailure, K04_H07_H09_H13_what_waiting_may_cure) {
  const auto may_pass = [](const instances::Pod& pod) {
    return StartFailure(pod, spec::Function(), InitTime::kOver)->may_pass;
  };
  instances::Pod pod;
  EXPECT_TRUE(may_pass(pod)) << "a slow node";
  pod.unschedulable = true;
  EXPECT_TRUE(may_pass(pod));
  pod.unschedulable = false;
  pod.sandboxed = true;
  EXPECT_TRUE(may_pass(pod)) << "a slow registry";
  pod.sandboxed = false;
  pod.server.reason = "PodInitializing";
  EXPECT_EQ(StartFailure(pod, spec::Function(), InitTime::kOver)->code, 447);
  pod.server.running = true;
  EXPECT_TRUE(may_pass(pod)) << "the relay's image is being pulled";
  pod.relay.running = true;
  EXPECT_FALSE(may_pass(pod)) << "it does not listen";
  instances::Pod over;
  over.relay.terminated = true;
  EXPECT_FALSE(may_pass(over)) << "450 too, but the relay's port is taken";
}

}  // namespace
}  // namespace wsf::fleet
