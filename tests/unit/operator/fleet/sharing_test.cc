// SPDX-License-Identifier: Apache-2.0
//
// Instances that carry several sessions (A27), the pace of starts (H06), and what gets too old.

#include <gtest/gtest.h>

#include "tests/unit/operator/fleet/fleet_rig.h"

namespace wsf::fleet {
namespace {

using SharingTest = FleetRig;

TEST_F(SharingTest, A27_OneInstanceIsStartedForAsManyWaitersAsItHasPlaces) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 10})"), now_);
  for (int i = 0; i < 11; ++i) Wait(std::to_string(i));
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 2u);
}

TEST_F(SharingTest, A27_ALiveInstanceIsToldAgainWithTheSlotsThatAreLeft) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 3})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).at(0).slots, 3);
  fleet_.OnTaken(uid, "1", {});
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).at(0).slots, 2);
  fleet_.OnTaken(uid, "2", {});
  fleet_.OnTaken(uid, "3", {});
  EXPECT_EQ(Only<TellWithdraw>(fleet_.Plan(now_)).size(), 1u);
  fleet_.OnSessionEnded(uid, "2", Fleet::Over::kYes, now_);
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).at(0).slots, 1);
}

// It would be told for as long as somebody is there, and outlive the certificate that it reports
// by.
TEST_F(SharingTest, D01_A27_AnOldInstanceTakesNoNewSessionsAlthoughItHasPlaces) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 3, "warmMaxAgeSeconds": 60})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).at(0).slots, 2);
  const auto due = fleet_.NextDeadline(now_);
  ASSERT_TRUE(due);
  EXPECT_LE(*due, now_ + 60s);
  now_ += 60s;
  EXPECT_EQ(Only<TellWithdraw>(fleet_.Plan(now_)).size(), 1u);
  Wait("2");
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(SharingTest, D01_A27_WhereMaxInstancesLeavesNoRoomAnOldInstanceGoesOn) {
  fleet_.OnFunction(
      MakeFunction(R"({"instanceConcurrency": 3, "warmMaxAgeSeconds": 60, "maxInstances": 1})"),
      now_);
  Wait("1");
  fleet_.OnTaken(StartFree(), "1", {});
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).at(0).slots, 2);
  now_ += 60s;
  Wait("2");
  EXPECT_TRUE(Only<TellWithdraw>(fleet_.Plan(now_)).empty());
  EXPECT_TRUE(Only<TellRefuse>(fleet_.Plan(now_)).empty());
}

TEST_F(SharingTest, A27_OpenPlacesOfLiveInstancesStartNothing) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 3})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  Wait("2");
  Wait("3");
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_)).empty());
  Wait("4");
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(SharingTest, H04_CountsSessionsWhereInstancesAreShared) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 2, "maxInstances": 1})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  Wait("2");
  EXPECT_TRUE(Only<TellRefuse>(fleet_.Plan(now_)).empty());
  Wait("3");
  const auto refused = Only<TellRefuse>(fleet_.Plan(now_));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].request_id, "3");
  EXPECT_EQ(refused[0].refusal.code, 432);
}

TEST_F(SharingTest, A27_BehindTheLastKnownSessionTheSidecarIsAskedWhetherItHasEnded) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 2})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.OnSessionEnded(uid, "1", Fleet::Over::kYes, now_);
  EXPECT_EQ(fleet_.Unknown(), std::vector<std::string>{uid});
  EXPECT_EQ(fleet_.Count("ns/f").live, 1);
  fleet_.OnState(uid, "ending", "", now_);
  EXPECT_EQ(fleet_.Count("ns/f").live, 0);
}

TEST_F(SharingTest, A27_AnInstanceThatRefusedASessionRestsAndAnotherIsStarted) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 3})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  Wait("2");
  fleet_.Plan(now_);
  fleet_.OnTaken(uid, "2", {});
  fleet_.OnNotTaken(uid, "2", now_);  // starting: its server listens no more
  Wait("2");
  const auto actions = fleet_.Plan(now_);
  EXPECT_EQ(Only<TellFree>(actions).size(), 0u);
  EXPECT_EQ(Only<CreateInstance>(actions).size(), 1u);
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_ + kRest)).size(), 1u);
}

TEST_F(SharingTest, H04_PlacesOfAnOldRevisionAreNobodys) {
  const char* spec = R"({"instanceConcurrency": 10, "maxInstances": 1})";
  fleet_.OnFunction(MakeFunction(spec), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.OnFunction(
      MakeFunction(R"({"instanceConcurrency": 10, "maxInstances": 1, "command": ["new"]})"), now_);
  Wait("2");
  EXPECT_EQ(Only<TellRefuse>(fleet_.Plan(now_)).size(), 1u) << "told at once, not held";
}

TEST_F(SharingTest, H04_AClientThatLeftAThrottledSidecarBehindStillCounts) {
  fleet_.OnFunction(MakeFunction(R"({"maxInstances": 1})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.OnSessionEnded(uid, "1", Fleet::Over::kPerhaps, now_);
  EXPECT_EQ(fleet_.Count("ns/f").live, 1);
  Wait("2");
  EXPECT_EQ(Only<TellRefuse>(fleet_.Plan(now_)).size(), 1u);
  fleet_.OnSessionEnded(uid, "1", Fleet::Over::kYes, now_);  // its report
  EXPECT_EQ(fleet_.Count("ns/f").live, 0);
}

TEST_F(SharingTest, S3_05_ALiveInstanceOfAnOldRevisionTakesNoNewSession) {
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 2})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.Plan(now_);
  fleet_.OnFunction(MakeFunction(R"({"instanceConcurrency": 2, "command": ["new"]})"), now_);
  EXPECT_EQ(Only<TellWithdraw>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(SharingTest, H06_StartsBeyondTheRateAreRefusedNewestFirst) {
  Fleet fleet(60s, 2);
  fleet.OnPodsListed(now_);
  fleet.OnFunction(MakeFunction(), now_);
  for (int i = 0; i < 5; ++i) fleet.OnWaiting({std::to_string(i), "ns/f", "gateway", i});
  const auto actions = fleet.Plan(now_);
  EXPECT_EQ(Only<CreateInstance>(actions).size(), 2u);
  const auto refused = Only<TellRefuse>(actions);
  ASSERT_EQ(refused.size(), 3u);
  EXPECT_EQ(refused[0].request_id, "4");
  EXPECT_EQ(refused[0].refusal.http_status, 429);
  EXPECT_EQ(refused[0].refusal.code, 429);
  EXPECT_EQ(refused[0].refusal.reason, "ResourceLimit");
  EXPECT_EQ(refused[0].refusal.retry_after_seconds, 30);
  fleet.OnWaiting({"9", "ns/f", "gateway", 9});
  EXPECT_EQ(Only<CreateInstance>(fleet.Plan(now_ + 30s)).size(), 1u);
}

TEST_F(SharingTest, H06_WarmInstancesJustComeLater) {
  Fleet fleet(60s, 1);
  fleet.OnPodsListed(now_);
  fleet.OnFunction(MakeFunction(R"({"warmInstances": 2})"), now_);
  EXPECT_EQ(Only<CreateInstance>(fleet.Plan(now_)).size(), 1u);
  EXPECT_TRUE(fleet.Plan(now_).empty());
  EXPECT_EQ(fleet.NextDeadline(now_), now_ + 60s);
  EXPECT_EQ(Only<CreateInstance>(fleet.Plan(now_ + 60s)).size(), 1u);
}

TEST_F(SharingTest, AFreeInstanceThatIsTooOldIsReplacedBeforeItGoes) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1, "warmMaxAgeSeconds": 60})"), now_);
  const std::string old = StartFree();
  now_ += 60s;
  const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(creates.size(), 1u);
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_)).empty());
  fleet_.OnListening(Appear(creates[0]), "127.64.1.2:17009", now_);
  EXPECT_EQ(Only<CloseInstance>(fleet_.Plan(now_)).at(0).uid, old);
}

TEST_F(SharingTest, AtMaxInstancesTheOldMakesRoomForTheNew) {
  const char* spec = R"({"warmInstances": 2, "maxInstances": 2, "warmMaxAgeSeconds": 60})";
  fleet_.OnFunction(MakeFunction(spec), now_);
  for (const CreateInstance& each : Only<CreateInstance>(fleet_.Plan(now_))) {
    fleet_.OnListening(Appear(each), "127.64.1.1:17009", now_);
  }
  now_ += 60s;
  EXPECT_EQ(Only<CloseInstance>(fleet_.Plan(now_)).size(), 1u);
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_)).empty()) << "one at a time";
}

TEST_F(SharingTest, P23_SessionsOfAnOldRevisionMayGoOnForTheRolloutsTime) {
  fleet_.OnFunction(MakeFunction(R"({"rollout": {"liveSessionSeconds": 30}})"), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  const char* next = R"({"rollout": {"liveSessionSeconds": 30}, "command": ["new"]})";
  fleet_.OnFunction(MakeFunction(next), now_);
  EXPECT_TRUE(Only<EndSessions>(fleet_.Plan(now_ + 29s)).empty());
  EXPECT_EQ(fleet_.NextDeadline(now_), now_ + 30s);
  const auto ends = Only<EndSessions>(fleet_.Plan(now_ + 30s));
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].reason, Reason::kRevisionRetired);
}

}  // namespace
}  // namespace wsf::fleet
