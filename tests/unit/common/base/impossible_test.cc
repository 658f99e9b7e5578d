// SPDX-License-Identifier: Apache-2.0
#include "common/base/impossible.h"

#include <gtest/gtest.h>

#include <string>

namespace wsf {
namespace {

std::string told;

TEST(Impossible, house_4_3_IsToldAndCountedAndEverybodyGoesOn) {
  OnImpossible([](std::string_view what) { told = what; });
  const std::uint64_t before = ImpossibleCount();
  Impossible("two and two are five");
  OnImpossible(nullptr);
  EXPECT_EQ(told, "two and two are five");
  EXPECT_EQ(ImpossibleCount(), before + 1);
}

TEST(ImpossibleDeathTest, house_4_3_EndsATest) {
  EXPECT_DEATH(Impossible("two and two are five"), "impossible: two and two are five");
}

}  // namespace
}  // namespace wsf
