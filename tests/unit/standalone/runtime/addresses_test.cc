// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/addresses.h"

#include <gtest/gtest.h>

#include <set>

#include "standalone/api/objects.h"
#include "standalone/runtime/runtime.h"

namespace wsf::runtime {
namespace {

using api::Json;

const api::Resource& Pods() { return *api::FindResource("/api/v1", "pods"); }

TEST(Addresses, EachIsItsOwnUntilAMinuteAfterItWasGivenBack) {
  auto addresses = Addresses::Reserve();
  ASSERT_TRUE(addresses);
  TimePoint now = TimePoint() + std::chrono::hours(1);
  std::set<std::string> taken;
  for (std::string each; !(each = addresses->Take(now)).empty();) {
    ASSERT_TRUE(taken.insert(each).second) << each;
  }
  EXPECT_GT(taken.size(), 60'000u);
  addresses->GiveBack(*taken.begin(), now);
  EXPECT_EQ(addresses->Take(now), "");
  now += std::chrono::minutes(1);
  EXPECT_EQ(addresses->Take(now), *taken.begin());
  EXPECT_EQ(addresses->Take(now), "");
}

TEST(Runtime, house_L8_AnInstanceForWhichNoAddressIsLeftFails) {
  auto addresses = Addresses::Reserve();
  ASSERT_TRUE(addresses);
  while (!addresses->Take(std::chrono::steady_clock::now()).empty()) {
  }
  boost::asio::io_context io;
  api::Store store;
  api::Objects objects(&store);
  Runtime runtime(io, &objects, &*addresses, {testing::TempDir(), "no-sidecar", nullptr});
  runtime.Start();
  const Json container = {
      {"name", "function"}, {"image", "i"}, {"ports", {{{"containerPort", 9000}}}}};
  const Json relay = {{"name", "relay"}, {"image", "i"}};
  objects.Create(*api::FindResource("/api/v1", "namespaces"), "", {{"metadata", {{"name", "ns"}}}});
  objects.Create(Pods(), "ns",
                 {{"metadata", {{"name", "p"}}},
                  {"spec", {{"initContainers", {container}}, {"containers", {relay}}}}});
  io.run();
  const auto pods = store.List(Pods(), "ns");
  ASSERT_EQ(pods.size(), 1u);
  const Json& status = (*pods[0])["status"];
  EXPECT_EQ(status["phase"], "Failed");
  EXPECT_EQ(status["reason"], "NoAddress");
  EXPECT_TRUE(runtime.idle());
}

}  // namespace
}  // namespace wsf::runtime
