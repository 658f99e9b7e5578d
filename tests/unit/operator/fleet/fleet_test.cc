// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/fleet.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/operator/fleet/fleet_rig.h"

namespace wsf::fleet {
namespace {

using FleetTest = FleetRig;

TEST_F(FleetTest, S0_13_AHandshakeWithNoFreeInstanceStartsOne) {
  fleet_.OnFunction(MakeFunction(), now_);
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_)).empty());
  Wait("1");
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 1u);
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_)).empty()) << "asked for once";
}

TEST_F(FleetTest, S0_12_NWaitersGetNInstancesWithDifferentNames) {
  fleet_.OnFunction(MakeFunction(), now_);
  for (int i = 0; i < 20; ++i) Wait(std::to_string(i));
  const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
  std::set<std::string> names;
  for (const CreateInstance& each : creates) names.insert(each.name);
  EXPECT_EQ(names.size(), 20u);
}

TEST_F(FleetTest, I7_OnceSettledItDoesNothing) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  StartFree();
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_)).size(), 1u);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(fleet_.Plan(now_ + 100s * i).empty());
}

TEST_F(FleetTest, AWarmInstanceThatWasTakenIsReplaced) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  const std::string uid = StartFree();
  fleet_.Plan(now_);
  fleet_.OnTaken(uid, "r1", {});
  const auto actions = fleet_.Plan(now_);
  EXPECT_EQ(Only<CreateInstance>(actions).size(), 1u);
  EXPECT_EQ(Only<TellWithdraw>(actions).size(), 1u);
}

TEST_F(FleetTest, A17_ASurplusInstanceIsKeptForAMinute) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnLeft("1");
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_)).empty());
  EXPECT_EQ(fleet_.NextDeadline(now_ + kProven), now_ + 60s);
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_ + 59s)).empty());
  const auto closes = Only<CloseInstance>(fleet_.Plan(now_ + 60s));
  ASSERT_EQ(closes.size(), 1u);
  EXPECT_EQ(closes[0].uid, uid);
}

TEST_F(FleetTest, ASurplusSlotThatTurnsOutTakenIsAskedForItsState) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnLeft("1");
  fleet_.Plan(now_);
  fleet_.Plan(now_ + 60s);
  fleet_.OnCloseAnswered(uid, false, now_ + 60s);
  EXPECT_EQ(fleet_.Unknown(), std::vector<std::string>{uid});
}

TEST_F(FleetTest, S3_05_AFreeInstanceOfAnOldRevisionIsClosedAtOnce) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnLeft("1");
  fleet_.Plan(now_);
  fleet_.OnFunction(MakeFunction(R"({"command": ["new"]})"), now_);
  const auto closes = Only<CloseInstance>(fleet_.Plan(now_));
  ASSERT_EQ(closes.size(), 1u);
  EXPECT_EQ(closes[0].uid, uid);
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_)).empty()) << "asked for once";
}

TEST_F(FleetTest, H04_WhoComesOverMaxInstancesIsRefusedNewestFirst) {
  fleet_.OnFunction(MakeFunction(R"({"maxInstances": 1})"), now_);
  Wait("1");
  Wait("2");
  const auto refusals = Only<TellRefuse>(fleet_.Plan(now_));
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].request_id, "2");
  EXPECT_EQ(refusals[0].refusal.http_status, 429);
  EXPECT_EQ(refusals[0].refusal.code, 432);
}

TEST_F(FleetTest, H11_AServerThatExitsBeforeItListensRefusesTheOldestWaiter) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = Appear(Only<CreateInstance>(fleet_.Plan(now_)).at(0));
  instances::Pod pod = pods_[uid];
  pod.server.running = false;
  pod.server.terminated = true;
  pod.server.exit_code = 7;
  fleet_.OnPod(pod, now_);
  const auto actions = fleet_.Plan(now_);
  ASSERT_EQ(Only<TellRefuse>(actions).size(), 1u);
  EXPECT_EQ(Only<TellRefuse>(actions)[0].refusal.code, 405);
  EXPECT_EQ(Only<DeleteInstance>(actions).size(), 1u);
  EXPECT_EQ(Only<TellFailure>(actions).size(), 1u);
}

TEST_F(FleetTest, H12_AServerThatNeverListensFailsAtTheInitTimeout) {
  fleet_.OnFunction(MakeFunction(R"({"initTimeoutSeconds": 3})"), now_);
  Wait("1");
  Appear(Only<CreateInstance>(fleet_.Plan(now_)).at(0));
  EXPECT_TRUE(Only<TellRefuse>(fleet_.Plan(now_ + 2s)).empty());
  EXPECT_EQ(fleet_.NextDeadline(now_), now_ + 3s);
  // Its report may have been lost: the sidecar is asked first.
  const auto asks = Only<AskState>(fleet_.Plan(now_ + 3s));
  ASSERT_EQ(asks.size(), 1u);
  fleet_.OnState(asks[0].uid, "starting", "", now_ + 3s);
  const auto refusals = Only<TellRefuse>(fleet_.Plan(now_ + 3s));
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].refusal.code, 446);
  EXPECT_NE(refusals[0].refusal.message.find("9000"), std::string::npos);
}

// A node that starts two hundred of them at once.
TEST_F(FleetTest, H12_TheServersTimeBeginsWhenItRuns) {
  fleet_.OnFunction(MakeFunction(R"({"initTimeoutSeconds": 3})"), now_);
  Wait("1");
  const std::string uid = Appear(Only<CreateInstance>(fleet_.Plan(now_)).at(0), Server::kWaits);
  pods_[uid].server.running = true;
  fleet_.OnPod(pods_[uid], now_ + 2s);
  EXPECT_TRUE(Only<AskState>(fleet_.Plan(now_ + 4s)).empty());
  EXPECT_EQ(Only<AskState>(fleet_.Plan(now_ + 5s)).size(), 1u);
}

TEST_F(FleetTest, AFailingRevisionBacksOffAndANewOneIsTriedAtOnce) {
  fleet_.OnFunction(MakeFunction(), now_);
  fleet_.OnCreateFailed("ns/f", "x", "quota", now_);
  Wait("1");
  auto actions = fleet_.Plan(now_);
  EXPECT_TRUE(Only<CreateInstance>(actions).empty());
  ASSERT_EQ(Only<TellRefuse>(actions).size(), 1u) << "told at once, with Retry-After";
  EXPECT_EQ(Only<TellRefuse>(actions)[0].refusal.retry_after_seconds, 1);
  Wait("2");
  fleet_.OnFunction(MakeFunction(R"({"command": ["other"]})"), now_);
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(FleetTest, ANewOperatorCountsAnUnknownRunningPodAsLive) {
  Fleet fresh(60s);
  fresh.OnFunction(MakeFunction(), now_);
  instances::Pod pod;
  pod.uid = "u";
  pod.ns = "ns";
  pod.function = "f";
  pod.function_uid = "fu";
  pod.name = "f-abc-4";
  pod.relay.running = true;
  fresh.OnPod(pod, now_);
  EXPECT_EQ(fresh.Count("ns/f").live, 1);
  fresh.OnState("u", "free", "127.64.1.1:17009", now_);
  EXPECT_EQ(fresh.Count("ns/f").free, 1);
}

TEST_F(FleetTest, H12_AnInstanceWhoseReportWasLostIsFreeWhenItsSidecarSaysSo) {
  fleet_.OnFunction(MakeFunction(R"({"initTimeoutSeconds": 3})"), now_);
  Wait("1");
  const std::string uid = Appear(Only<CreateInstance>(fleet_.Plan(now_)).at(0));
  fleet_.Plan(now_ + 3s);
  fleet_.OnState(uid, "free", "127.64.1.1:17009", now_ + 3s);
  const auto actions = fleet_.Plan(now_ + 3s);
  EXPECT_TRUE(Only<TellRefuse>(actions).empty());
  EXPECT_EQ(Only<TellFree>(actions).size(), 1u);
}

TEST_F(FleetTest, H11_AServerThatListensForAMomentAndDiesIsAFailedStart) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnLeft("1");
  fleet_.Plan(now_);
  Wait("2");
  instances::Pod pod = pods_[uid];
  pod.server.running = false;
  pod.server.terminated = true;
  fleet_.OnPod(pod, now_ + 1s);
  const auto actions = fleet_.Plan(now_ + 1s);
  EXPECT_EQ(Only<TellWithdraw>(actions).size(), 1u);
  EXPECT_EQ(Only<DeleteInstance>(actions).size(), 1u);
  ASSERT_EQ(Only<TellRefuse>(actions).size(), 1u);
  EXPECT_EQ(Only<TellRefuse>(actions)[0].refusal.code, 405);
  Wait("3");
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_ + 1s)).empty()) << "it backs off";
}

TEST_F(FleetTest, AServerThatDiesAfterItWasFreeForLongIsStartedAgainInItsPlace) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  const std::string uid = StartFree();
  fleet_.Plan(now_);
  instances::Pod pod = pods_[uid];
  pod.server.running = false;
  pod.server.terminated = true;
  fleet_.OnPod(pod, now_ + 11s);
  const auto actions = fleet_.Plan(now_ + 11s);
  EXPECT_EQ(Only<TellWithdraw>(actions).size(), 1u);
  EXPECT_TRUE(Only<DeleteInstance>(actions).empty());
  fleet_.OnListening(uid, "127.64.1.1:17009", now_ + 12s);
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_ + 12s)).size(), 1u);
}

TEST_F(FleetTest, AnInstanceThatAGatewayLostAndThatDoesNotAnswerIsDeleted) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.OnSessionEnded(uid, "1", Fleet::Over::kYes, now_);
  fleet_.OnInstanceLost(uid, now_);
  EXPECT_EQ(fleet_.Unknown().size(), 1u) << "its state is asked";
  EXPECT_TRUE(Only<DeleteInstance>(fleet_.Plan(now_ + 19s)).empty());
  EXPECT_EQ(Only<DeleteInstance>(fleet_.Plan(now_ + 20s)).size(), 1u);
}

TEST_F(FleetTest, AnInstanceThatAGatewayLostAndThatAnswersIsNotGivenUp) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  fleet_.OnSessionEnded(uid, "1", Fleet::Over::kYes, now_);
  fleet_.OnInstanceLost(uid, now_);
  fleet_.OnState(uid, "ending", "127.64.1.1:17009", now_);
  EXPECT_TRUE(fleet_.Unknown().empty());
  EXPECT_TRUE(Only<DeleteInstance>(fleet_.Plan(now_ + 20s)).empty());
}

TEST_F(FleetTest, APodOfADeletedFunctionOfTheSameNameIsNotAdopted) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  StartFree();
  auto again = MakeFunction();
  again.uid = "another";
  fleet_.OnFunctionGone("fu");
  fleet_.OnFunction(again, now_);
  EXPECT_EQ(fleet_.Count("ns/f").free, 0);
  const auto actions = fleet_.Plan(now_);
  EXPECT_EQ(Only<DropInstance>(actions).size(), 1u) << "garbage collection may not know of it";
  EXPECT_TRUE(Only<TellFree>(actions).empty());
  Wait("2");
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(FleetTest, Fault9_APodOfADeletedFunctionIsNotTakenForTheOneThatItsSuccessorAskedFor) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  const auto first = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(first.size(), 1u);
  auto again = MakeFunction(R"({"warmInstances": 1})");
  again.uid = "another";
  fleet_.OnFunctionGone("fu");
  fleet_.OnFunction(again, now_);
  const auto second = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].name, first[0].name);
  Appear(first[0]);  // the answer to what was asked for the old one comes only now
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_)).empty());
}

TEST_F(FleetTest, WhatANewOperatorFoundIsNotClosedInItsFirstSeconds) {
  Fleet fresh(1s);
  fresh.OnFunction(MakeFunction(), now_);
  instances::Pod pod;
  pod.uid = "u";
  pod.ns = "ns";
  pod.function = "f";
  pod.function_uid = "fu";
  pod.name = "f-abc-4";
  pod.revision = fresh.Revision("ns/f");
  pod.relay.running = true;
  fresh.OnPod(pod, now_);
  fresh.OnPodsListed(now_);
  fresh.OnState("u", "free", "127.64.1.1:17009", now_);
  fresh.Plan(now_);
  EXPECT_TRUE(Only<CloseInstance>(fresh.Plan(now_ + 14s)).empty());
  EXPECT_EQ(Only<CloseInstance>(fresh.Plan(now_ + 15s)).size(), 1u);
}

TEST_F(FleetTest, Fault2_AnUnansweredCreateIsAskedForAgainUnderTheSameNameAndRefusesNobody) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const auto first = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(first.size(), 1u);
  fleet_.OnCreateUnanswered("ns/f", first[0].name, now_);
  auto actions = fleet_.Plan(now_);
  EXPECT_TRUE(Only<CreateInstance>(actions).empty());
  EXPECT_TRUE(Only<TellRefuse>(actions).empty());
  EXPECT_EQ(fleet_.NextDeadline(now_), now_ + 1s);
  actions = fleet_.Plan(now_ + 1s);
  ASSERT_EQ(Only<CreateInstance>(actions).size(), 1u);
  EXPECT_EQ(Only<CreateInstance>(actions)[0].name, first[0].name);
  fleet_.OnNameTaken("ns/f", first[0].name, now_ + 1s);  // it had been made
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_ + 1s)).empty());
  Appear(first[0]);
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_ + 2s)).empty());
}

TEST_F(FleetTest, H04_AnInstanceThatCouldNotBeTakenDoesNotCountAgainstTheLimit) {
  fleet_.OnFunction(MakeFunction(R"({"maxInstances": 1, "warmInstances": 1})"), now_);
  const std::string uid = StartFree();
  fleet_.Plan(now_);
  fleet_.OnNotTaken(uid, "", now_);
  Wait("1");
  EXPECT_TRUE(Only<TellRefuse>(fleet_.Plan(now_)).empty());
  fleet_.OnState(uid, "live 1", "", now_);
  EXPECT_EQ(Only<TellRefuse>(fleet_.Plan(now_)).size(), 1u);
}

TEST_F(FleetTest, WarmInstancesSurviveTheClosingOfTheOthers) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  Wait("1"), Wait("2");
  for (const CreateInstance& each : Only<CreateInstance>(fleet_.Plan(now_))) {
    fleet_.OnListening(Appear(each), "127.64.1.1:17009", now_);
  }
  fleet_.OnLeft("1"), fleet_.OnLeft("2");
  fleet_.Plan(now_);
  const auto closes = Only<CloseInstance>(fleet_.Plan(now_ + 60s));
  ASSERT_EQ(closes.size(), 2u);
  fleet_.OnCloseAnswered(closes[0].uid, true, now_ + 60s);
  EXPECT_TRUE(Only<CloseInstance>(fleet_.Plan(now_ + 60s)).empty());
}

TEST_F(FleetTest, WhatANewOperatorFindsEndedIsNoFailedStart) {
  Fleet fresh(60s);
  fresh.OnFunction(MakeFunction(), now_);
  instances::Pod pod;
  pod.uid = "u";
  pod.ns = "ns";
  pod.function = "f";
  pod.function_uid = "fu";
  pod.name = "f-abc-4";
  pod.relay.terminated = true;
  pod.server.terminated = true;
  fresh.OnPod(pod, now_);
  fresh.OnPodsListed(now_);
  fresh.OnWaiting({"1", "ns/f", "gateway", 1});
  const auto actions = fresh.Plan(now_);
  EXPECT_TRUE(Only<TellFailure>(actions).empty());
  EXPECT_TRUE(Only<TellRefuse>(actions).empty());
  EXPECT_EQ(Only<CreateInstance>(actions).size(), 1u);
}

TEST_F(FleetTest, ATakenWaiterIsNoDemandAnyMore) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = StartFree();
  fleet_.OnTaken(uid, "1", {});
  EXPECT_EQ(fleet_.Count("ns/f").waiting, 0);
  EXPECT_EQ(fleet_.Count("ns/f").live, 1);
  EXPECT_EQ(fleet_.Count("ns/f").live_sessions, 1);
}

TEST_F(FleetTest, D44_WhatALabelNamesIsForgottenWithItsLastPod) {
  const std::string uid = Appear({"ns/f", "f-1-9", "f-1"});  // its function is not known
  fleet_.Plan(now_);
  fleet_.OnPodGone(uid);
  fleet_.OnCreateFailed("ns/f", "f-1-9", "no", now_);
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(creates.size(), 1u);
  EXPECT_EQ(creates[0].name, creates[0].revision + "-1");
}

instances::Pod Exited(instances::Pod pod) {
  pod.server.running = false;
  pod.server.terminated = true;
  pod.server.exit_code = 1;
  return pod;
}

// A backend that was away for a moment.
TEST_F(FleetTest, D13_StartsThatFailTogetherAreOneFailure) {
  fleet_.OnFunction(MakeFunction(), now_);
  for (int i = 0; i < 20; ++i) Wait(std::to_string(i));
  std::vector<std::string> uids;
  for (const auto& create : Only<CreateInstance>(fleet_.Plan(now_))) uids.push_back(Appear(create));
  ASSERT_EQ(uids.size(), 20u);
  for (const std::string& uid : uids) {
    now_ += 10ms;
    fleet_.OnPod(Exited(pods_[uid]), now_);
    fleet_.Plan(now_);
  }
  EXPECT_LE(fleet_.LastFailure("ns/f", now_)->retry_after_seconds, 1);
  now_ += 1s;
  Wait("next");
  const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(creates.size(), 1u) << "one try after one second";
  now_ += 10ms;
  fleet_.OnPod(Exited(pods_[Appear(creates[0])]), now_);
  fleet_.Plan(now_);
  EXPECT_EQ(fleet_.LastFailure("ns/f", now_)->retry_after_seconds, 2) << "two in a row";
}

TEST_F(FleetTest, D13_CreatesWithoutAnAnswerAreOneFailureToo) {
  fleet_.OnFunction(MakeFunction(), now_);
  for (int i = 0; i < 10; ++i) Wait(std::to_string(i));
  const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
  ASSERT_EQ(creates.size(), 10u);
  for (const auto& create : creates) {
    now_ += 1ms;
    fleet_.OnCreateUnanswered("ns/f", create.name, now_);
  }
  EXPECT_EQ(Only<CreateInstance>(fleet_.Plan(now_ + 1s)).size(), 10u) << "all again after a second";
}

TEST_F(FleetTest, D13_RefusedCreatesAreOneFailureToo) {
  fleet_.OnFunction(MakeFunction(), now_);
  for (int i = 0; i < 10; ++i) Wait(std::to_string(i));
  for (const auto& create : Only<CreateInstance>(fleet_.Plan(now_))) {
    now_ += 1ms;
    fleet_.OnCreateFailed("ns/f", create.name, "exceeded quota: team-a, used: pods=10", now_);
  }
  EXPECT_EQ(fleet_.LastFailure("ns/f", now_)->retry_after_seconds, 1);
}

TEST_F(FleetTest, D14_K20_ANameThatIsSomebodyElsesIsNotAskedForAgain) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const auto first = Only<CreateInstance>(fleet_.Plan(now_)).at(0);
  EXPECT_FALSE(fleet_.OnNameTaken("ns/f", first.name, now_)) << "nobody knows whose it is";
  fleet_.OnNameForeign("ns/f", first.name);
  const auto second = Only<CreateInstance>(fleet_.Plan(now_)).at(0);
  EXPECT_NE(second.name, first.name);
  EXPECT_TRUE(Only<CreateInstance>(fleet_.Plan(now_ + 10s)).empty()) << "one is on its way";
}

TEST_F(FleetTest, D30_AnInstanceThatMayBeFreeIsAskedAfterSeconds) {
  fleet_.OnFunction(MakeFunction(R"({"warmInstances": 1})"), now_);
  const std::string uid = StartFree();
  fleet_.Plan(now_);
  // Its server was started again within the second in which its sidecar looks at the port.
  pods_[uid].ip = "10.0.0.1";
  fleet_.OnPod(Exited(pods_[uid]), now_);
  fleet_.OnPod(pods_[uid], now_);
  EXPECT_TRUE(Only<AskState>(fleet_.Plan(now_ + 4s)).empty());
  ASSERT_EQ(Only<AskState>(fleet_.Plan(now_ + 5s)).size(), 1u);
  EXPECT_TRUE(Only<AskState>(fleet_.Plan(now_ + 6s)).empty());
  EXPECT_EQ(fleet_.NextDeadline(now_ + 6s), now_ + 15s);
  EXPECT_EQ(Only<AskState>(fleet_.Plan(now_ + 15s)).size(), 1u)
      << "again, for its answer may be lost";
  fleet_.OnState(uid, "free", "10.0.0.1:9001", now_ + 15s);
  EXPECT_EQ(Only<TellFree>(fleet_.Plan(now_ + 15s)).size(), 1u);
  EXPECT_TRUE(Only<AskState>(fleet_.Plan(now_ + 60s)).empty());
}

TEST_F(FleetTest, D30_ANewOperatorAsksWhatItFindsWhoseStatusLags) {
  Fleet fresh(60s);
  fresh.OnFunction(MakeFunction(), now_);
  instances::Pod pod;
  pod.uid = "old";
  pod.ns = "ns";
  pod.name = fresh.Revision("ns/f") + "-1";
  pod.function = "f";
  pod.function_uid = "fu";
  pod.revision = fresh.Revision("ns/f");
  pod.phase = "Pending";  // though its relay runs
  pod.ip = "10.0.0.1";
  fresh.OnPod(pod, now_);
  fresh.OnPodsListed(now_);
  EXPECT_EQ(Only<AskState>(fresh.Plan(now_ + 5s)).size(), 1u);
}

TEST_F(FleetTest, D42_OneFailedStartIsCountedOnce) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  Wait("2");
  std::vector<std::string> uids;
  for (const auto& create : Only<CreateInstance>(fleet_.Plan(now_))) uids.push_back(Appear(create));
  const instances::Pod failed = Exited(pods_[uids.at(0)]);
  fleet_.OnPod(failed, now_);
  EXPECT_EQ(Only<TellRefuse>(fleet_.Plan(now_)).size(), 1u);
  fleet_.OnPod(failed, now_ + 10ms);  // its next event comes before it is seen to be deleted
  const auto actions = fleet_.Plan(now_ + 10ms);
  EXPECT_TRUE(Only<TellRefuse>(actions).empty()) << "the other may still be served";
  EXPECT_TRUE(Only<TellFailure>(actions).empty());
}

TEST_F(FleetTest, D37_WhatOthersSayOfAFailureIsNotForClients) {
  fleet_.OnFunction(MakeFunction(), now_);
  Wait("1");
  const std::string uid = Appear(Only<CreateInstance>(fleet_.Plan(now_)).at(0));
  instances::Pod pod = pods_[uid];
  pod.server.running = false;
  pod.server.reason = "ErrImagePull";
  pod.server.message = "pull access denied for team-a/secret-name";
  fleet_.OnPod(pod, now_);
  const auto actions = fleet_.Plan(now_);
  const http::Refusal told = Only<TellRefuse>(actions).at(0).refusal;
  EXPECT_EQ(told.code, 444);
  EXPECT_EQ(told.message.find("secret-name"), std::string::npos);
  EXPECT_NE(http::FullMessage(Only<TellFailure>(actions).at(0).refusal).find("secret-name"),
            std::string::npos);
}

}  // namespace
}  // namespace wsf::fleet
