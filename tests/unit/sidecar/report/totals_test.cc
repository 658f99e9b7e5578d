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
  return totals.Closed().billed_ms() / 1000;
}

TEST(Totals, S3_20_BillsTheUnionOfTheIntervals) {
  EXPECT_EQ(BilledSeconds({{0, true}, {5, true}, {10, false}, {15, false}}), 15);  // overlapping
  EXPECT_EQ(BilledSeconds({{0, true}, {5, false}, {10, true}, {15, false}}), 10);  // apart
  EXPECT_EQ(BilledSeconds({{0, true}, {2, true}, {4, false}, {9, false}}), 9);     // nested
  EXPECT_EQ(BilledSeconds({{0, true}, {5, false}, {5, true}, {10, false}}), 10);   // touching
  EXPECT_EQ(BilledSeconds({{0, true}, {7, false}}), 7);
}

TEST(Totals, S3_20_AReportBillsWhatIsLiveUntilThen) {
  Totals totals;
  totals.Begin();
  totals.Established(kZero);
  totals.Begin();
  totals.Established(kZero + 3s);
  totals.End(200, Totals::Was::kEstablished, kZero + 10s);
  EXPECT_EQ(totals.At(kZero + 10s).billed_ms(), 10'000);
  EXPECT_EQ(totals.Closed().billed_ms(), 0) << "the message says since when one is live";
  totals.End(200, Totals::Was::kEstablished, kZero + 12s);
  EXPECT_EQ(totals.At(kZero + 20s).billed_ms(), 12'000);
}

TEST(Totals, S3_19_AClaimWithoutA101IsCountedAndCostsNothing) {
  Totals totals;
  totals.Begin();
  EXPECT_EQ(totals.Closed().open(), 1);
  totals.End(443, Totals::Was::kOnlyClaimed, kZero + 9s);
  EXPECT_EQ(totals.Closed().billed_ms(), 0);
  EXPECT_EQ(totals.Closed().established(), 0);
  EXPECT_EQ(totals.Closed().sessions_by_code().at(443), 1);
  EXPECT_EQ(totals.Closed().open(), 0);
}

}  // namespace
}  // namespace wsf::report
