// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/record_reader.h"

#include <gtest/gtest.h>

#include "common/base/time.h"

namespace wsf::ledger {
namespace {

// Its sums with what we know would be no numbers any more.
TEST(RecordReader, D34_AForgedTimeIsNone) {
  for (const char* odd : {"infinite-past", "infinite-future", "-9999-01-01T00:00:00Z",
                          "99999-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "", "now"}) {
    EXPECT_EQ(ParseRfc3339(odd), 0) << odd;
    const Remains remains = ReadTerminationMessage(
        std::string(R"({"totals": {}, "open": [], "liveSince": ")") + odd + "\"}",
        1'700'000'000'000'000);
    ASSERT_TRUE(remains.totals);
    EXPECT_EQ(remains.totals->billed_ms(), 0) << odd;
  }
  EXPECT_EQ(ParseRfc3339("9999-12-31T23:59:59.999999Z"), 253'402'300'799'999'999);
}

}  // namespace
}  // namespace wsf::ledger
