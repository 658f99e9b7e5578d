// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/pool.h"

#include <gtest/gtest.h>

namespace wsf::fleet {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1000s};

v1::Free MakeFree(const std::string& uid, const std::string& revision, std::int64_t since,
                  const std::string& home = "") {
  v1::Free free;
  free.set_pod_uid(uid);
  free.set_revision(revision);
  free.set_since(since);
  free.set_home(home);
  free.mutable_function()->set_namespace_("ns");
  free.mutable_function()->set_name("f");
  return free;
}

TEST(Pool, TakesTheCurrentRevisionFirstThenTheOldest) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("old-revision", "r1", 1), kNow);
  pool.Add(MakeFree("young", "r2", 9), kNow);
  pool.Add(MakeFree("aged", "r2", 2), kNow);
  EXPECT_EQ(pool.Take("ns/f", "r2", kNow)->pod_uid(), "aged");
  EXPECT_EQ(pool.Take("ns/f", "r2", kNow)->pod_uid(), "young");
  EXPECT_EQ(pool.Take("ns/f", "r2", kNow)->pod_uid(), "old-revision");
  EXPECT_FALSE(pool.Take("ns/f", "r2", kNow));
}

TEST(Pool, AnothersInstanceMayBeStolenAfterItsHeadStart) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("theirs", "r", 1, "other"), kNow);
  EXPECT_FALSE(pool.Take("ns/f", "r", kNow + 19ms));
  EXPECT_EQ(pool.NextChance("ns/f"), kNow + 20ms);
  EXPECT_TRUE(pool.Take("ns/f", "r", kNow + 20ms));
}

// Two gateways under a burst: neither dials what the other is about to take.
TEST(Pool, ItsOwnInstancesComeFirstAndOfAnothersTheNewest) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("theirs-1", "r", 1, "other"), kNow);
  pool.Add(MakeFree("mine-2", "r", 2, "me"), kNow);
  pool.Add(MakeFree("theirs-3", "r", 3, "other"), kNow);
  pool.Add(MakeFree("mine-4", "r", 4, "me"), kNow);
  for (const char* uid : {"mine-2", "mine-4", "theirs-3", "theirs-1"}) {
    EXPECT_EQ(pool.Take("ns/f", "r", kNow + 1s)->pod_uid(), uid);
  }
}

TEST(Pool, A27_ALiveInstanceWithOpenSlotsIsUsedBeforeFreeOnesAndUntilItIsFull) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("older", "r", 1), kNow);
  v1::Free shared = MakeFree("shared", "r", 2);
  shared.set_slots(2);
  shared.set_live(true);
  pool.Add(shared, kNow);
  EXPECT_EQ(pool.Take("ns/f", "r", kNow)->pod_uid(), "shared");
  EXPECT_EQ(pool.Take("ns/f", "r", kNow)->pod_uid(), "shared");
  EXPECT_EQ(pool.Take("ns/f", "r", kNow)->pod_uid(), "older");
}

TEST(Pool, NeverGivesAnotherFunctionsInstance) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("uid", "r", 1), kNow);
  EXPECT_FALSE(pool.Take("ns/g", "r", kNow));
}

TEST(Pool, WhatIsNotNamedAgainAfterASnapshotIsDropped) {
  Pool pool("me", 20ms);
  pool.Add(MakeFree("gone", "r", 1), kNow);
  pool.Add(MakeFree("kept", "r", 2), kNow);
  pool.MarkAll();
  pool.Add(MakeFree("kept", "r", 2), kNow);
  pool.DropMarked();
  EXPECT_EQ(pool.Take("ns/f", "r", kNow)->pod_uid(), "kept");
  EXPECT_FALSE(pool.Take("ns/f", "r", kNow));
}

}  // namespace
}  // namespace wsf::fleet
