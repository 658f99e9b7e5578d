// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/election.h"

#include <gtest/gtest.h>

namespace wsf::kube {
namespace {

using Json = nlohmann::json;
using Ask = Election::Ask;
using Role = Election::Role;
using std::chrono::seconds;

constexpr std::int64_t kWall = 1'700'000'000'000'000;

// One Lease, as an API server keeps it.
struct Api {
  Json lease;
  int version = 0;
  std::int64_t clock = kWall;
  std::string made;
  bool up = true;

  std::pair<int, Json> Answer(const Ask& ask) {
    if (!up) return {0, nullptr};
    if (ask.verb == Ask::Verb::kGet) return lease.is_null() ? Missing() : Found(200);
    if (ask.verb == Ask::Verb::kCreate && !lease.is_null()) return {409, nullptr};
    if (ask.verb == Ask::Verb::kUpdate && lease.is_null()) return Missing();
    if (ask.verb == Ask::Verb::kUpdate &&
        ask.lease["metadata"]["resourceVersion"] != std::to_string(version)) {
      return {409, nullptr};
    }
    if (ask.verb == Ask::Verb::kCreate) made = Rfc3339Seconds(clock);
    lease = ask.lease;
    lease["metadata"]["creationTimestamp"] = made;
    lease["metadata"]["resourceVersion"] = std::to_string(++version);
    return Found(200);
  }
  std::pair<int, Json> Missing() const { return {404, nullptr}; }
  std::pair<int, Json> Found(int status) const { return {status, lease}; }
};

struct Candidate {
  Election election;
  Api* api;

  Candidate(Api* the_api, const std::string& identity,
            Election::Claim claim = Election::Claim::kWhenDead)
      : election("wsf-system", "wsf-operator", identity, claim), api(the_api) {}

  // One try, as the shell makes it.
  Role Try(TimePoint now) {
    std::optional<Ask> ask = election.Next(kWall);
    while (ask) {
      const auto [status, body] = api->Answer(*ask);
      ask = election.OnAnswer(*ask, status, body, now, now, kWall);
    }
    return election.role(now);
  }
};

const TimePoint kStart{seconds(1000)};

TEST(Election, K30_the_first_to_come_creates_the_lease_and_leads) {
  Api api;
  Candidate one(&api, "one");
  EXPECT_EQ(one.election.role(kStart), Role::kFollower);
  EXPECT_EQ(one.Try(kStart), Role::kLeader);
  EXPECT_EQ(api.lease["spec"]["holderIdentity"], "one");
  EXPECT_EQ(api.lease["spec"]["leaseDurationSeconds"], 15);
  EXPECT_EQ(api.lease["spec"]["leaseTransitions"], 1);
}

TEST(Election, a_follower_waits_as_long_as_it_sees_the_lease_renewed) {
  Api api;
  Candidate one(&api, "one");
  Candidate two(&api, "two");
  one.Try(kStart);
  for (int second = 0; second < 60; second += 2) {
    // The renewals differ by their time alone.
    api.lease["spec"]["renewTime"] = std::to_string(second);
    EXPECT_EQ(two.Try(kStart + seconds(second)), Role::kFollower) << second;
  }
  EXPECT_EQ(two.election.holder(), "one");
}

TEST(Election, fault_13_a_lease_that_did_not_change_for_15_s_is_taken_with_a_higher_term) {
  Api api;
  Candidate one(&api, "one");
  Candidate two(&api, "two");
  one.Try(kStart);
  EXPECT_EQ(two.Try(kStart), Role::kFollower);
  EXPECT_EQ(two.Try(kStart + seconds(14)), Role::kFollower);
  EXPECT_EQ(two.Try(kStart + seconds(15)), Role::kLeader);
  EXPECT_EQ(two.election.term(), one.election.term() + 1);
  // The old leader, woken up: its write fails, and it sees why.
  EXPECT_EQ(one.Try(kStart + seconds(15)), Role::kLost);
}

TEST(Election, a_leader_that_cannot_renew_for_10_s_has_lost) {
  Api api;
  Candidate one(&api, "one");
  one.Try(kStart);
  api.up = false;
  EXPECT_EQ(one.Try(kStart + seconds(9)), Role::kLeader);
  EXPECT_EQ(one.election.role(kStart + seconds(10)), Role::kLost);
}

TEST(Election, fault_3_a_leader_whose_api_was_away_for_8_s_goes_on) {
  Api api;
  Candidate one(&api, "one");
  one.Try(kStart);
  api.up = false;
  one.Try(kStart + seconds(8));
  api.up = true;
  EXPECT_EQ(one.Try(kStart + seconds(8)), Role::kLeader);
  EXPECT_EQ(one.election.role(kStart + seconds(17)), Role::kLeader);
}

TEST(Election, a_released_lease_is_taken_at_once) {
  Api api;
  Candidate one(&api, "one");
  Candidate two(&api, "two");
  one.Try(kStart);
  two.Try(kStart);
  const std::optional<Ask> release = one.election.Release(kWall);
  ASSERT_TRUE(release.has_value());
  EXPECT_EQ(api.Answer(*release).first, 200);
  EXPECT_EQ(two.Try(kStart + seconds(2)), Role::kLeader);
  EXPECT_FALSE(Candidate(&api, "three").election.Release(kWall).has_value());
}

TEST(Election, K51_drain_all_takes_a_lease_that_is_alive) {
  Api api;
  Candidate one(&api, "one");
  Candidate drain(&api, "drain", Election::Claim::kAtOnce);
  one.Try(kStart);
  EXPECT_EQ(drain.Try(kStart), Role::kLeader);
  EXPECT_EQ(one.Try(kStart + seconds(2)), Role::kLost);
}

TEST(Election, K51_drain_all_is_alone_when_whom_it_deposed_must_have_seen_it) {
  Api api;
  Candidate first(&api, "a_10.0.0.1");
  Candidate drain(&api, "d_10.0.0.9", Election::Claim::kAtOnce);
  first.Try(kStart);
  EXPECT_EQ(drain.Try(kStart), Role::kLeader);
  api.up = false;  // the deposed cannot see it
  TimePoint now = kStart;
  for (; first.election.role(now) != Role::kLost; now += seconds(1))
    EXPECT_FALSE(drain.election.IsAlone(now));
  api.up = true;
  drain.Try(kStart + seconds(8));
  EXPECT_TRUE(drain.election.IsAlone(kStart + seconds(12)));
}

TEST(Election, K51_drain_all_is_alone_at_once_where_nobody_leads) {
  Api api;
  Candidate drain(&api, "d_10.0.0.9", Election::Claim::kAtOnce);
  EXPECT_FALSE(drain.election.IsAlone(kStart));
  drain.Try(kStart);
  EXPECT_TRUE(drain.election.IsAlone(kStart));
}

TEST(Election, a_restarted_leader_goes_on_with_its_own_lease_and_term) {
  Api api;
  Candidate one(&api, "one");
  one.Try(kStart);
  Candidate again(&api, "one");
  EXPECT_EQ(again.Try(kStart + seconds(1)), Role::kLeader);
  EXPECT_EQ(again.election.term(), one.election.term());
}

TEST(Election, fault_14_a_lease_that_was_deleted_takes_the_term_no_lower) {
  Api api;
  Candidate one(&api, "one");
  Candidate two(&api, "two");
  one.Try(kStart);
  two.Try(kStart);
  two.Try(kStart + seconds(15));
  ASSERT_EQ(api.lease["spec"]["leaseTransitions"], 2);
  api.lease = nullptr;
  api.clock += 3'000'000;
  Candidate three(&api, "three");
  EXPECT_EQ(three.Try(kStart + seconds(20)), Role::kLeader);
  EXPECT_EQ(api.lease["spec"]["leaseTransitions"], 1);
  EXPECT_GT(three.election.term(), two.election.term());
}

TEST(Election, two_that_create_at_once_agree) {
  Api api;
  Candidate one(&api, "one");
  Candidate two(&api, "two");
  // Both find none; then both create.
  const Ask get = two.election.Next(kWall);
  const std::optional<Ask> create = two.election.OnAnswer(get, 404, nullptr, kStart, kStart, kWall);
  one.Try(kStart);
  ASSERT_TRUE(create.has_value());
  std::optional<Ask> ask = create;
  while (ask) {
    const auto [status, body] = api.Answer(*ask);
    ask = two.election.OnAnswer(*ask, status, body, kStart, kStart, kWall);
  }
  EXPECT_EQ(one.election.role(kStart), Role::kLeader);
  EXPECT_EQ(two.election.role(kStart), Role::kFollower);
}

}  // namespace
}  // namespace wsf::kube
