// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/totals.h"

#include <gtest/gtest.h>

#include <vector>

namespace wsf::report {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kZero{1000s};

struct Step {
  int second;
  bool begins;
};

std::int64_t BilledSeconds(const std::vector<Step>& steps) {
  Totals totals;
  for (const Step& step : steps) {
    const TimePoint now = kZero + std::chrono::seconds(step.second);
    if (step.begins) {
      totals.Begin();
      totals.Established(now);
    } else {
      totals.End(200, Totals::Was::kEstablished, now);
    }
  }
  return totals.Message().billed_ms() / 1000;
}

TEST(Totals, S3_20_BillsTheUnionOfTheIntervals) {
  EXPECT_EQ(BilledSeconds({{0, true}, {5, true}, {10, false}, {15, false}}), 15);  // overlapping
  EXPECT_EQ(BilledSeconds({{0, true}, {5, false}, {10, true}, {15, false}}), 10);  // apart
  EXPECT_EQ(BilledSeconds({{0, true}, {2, true}, {4, false}, {9, false}}), 9);     // nested
  EXPECT_EQ(BilledSeconds({{0, true}, {5, false}, {5, true}, {10, false}}), 10);   // touching
  EXPECT_EQ(BilledSeconds({{0, true}, {7, false}}), 7);
}

TEST(Totals, S3_19_AClaimWithoutA101IsCountedAndCostsNothing) {
  Totals totals;
  totals.Begin();
  EXPECT_EQ(totals.Message().open(), 1);
  totals.End(443, Totals::Was::kOnlyClaimed, kZero + 9s);
  EXPECT_EQ(totals.Message().billed_ms(), 0);
  EXPECT_EQ(totals.Message().established(), 0);
  EXPECT_EQ(totals.Message().sessions_by_code().at(443), 1);
  EXPECT_EQ(totals.Message().open(), 0);
}

}  // namespace
}  // namespace wsf::report
