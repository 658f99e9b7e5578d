// SPDX-License-Identifier: Apache-2.0
#include "operator/guard/frame_budget.h"

#include <gtest/gtest.h>

#include <string>

namespace wsf::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};
const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum Type : char { kData, kHeaders, kPriority, kRst, kSettings, kPush, kPing, kContinuation = 9 };

std::string Frame(Type type, std::size_t payload = 0) {
  std::string head(9, '\0');
  head[0] = static_cast<char>(payload >> 16);
  head[1] = static_cast<char>(payload >> 8);
  head[2] = static_cast<char>(payload);
  head[3] = type;
  return head + std::string(payload, 'x');
}

// How many of `frame` pass, at most `most`, `apart` after each other.
int Passed(const std::string& frame, int most, Duration apart = Duration::zero()) {
  FrameBudget budget(kStart);
  EXPECT_TRUE(budget.Take(kPreface, kStart));
  for (int i = 0; i < most; ++i) {
    if (!budget.Take(frame, kStart + apart * i)) return i;
  }
  return most;
}

// As gRPC's client does it: preface, settings, one request, its answers' window updates and pings.
TEST(FrameBudget, fault_19_a_relay_and_a_gateway_are_never_cut) {
  EXPECT_EQ(Passed(Frame(kHeaders, 2000) + Frame(kData, 60000) + Frame(kPing, 8), 100, seconds(1)),
            100);
  EXPECT_EQ(Passed(Frame(kData, 30000), 100000), 100000);
  EXPECT_EQ(Passed(Frame(kPing, 8), 1000, milliseconds(25)), 1000);
}

TEST(FrameBudget, fault_19_rapid_reset_is_cut) {
  EXPECT_EQ(Passed(Frame(kHeaders, 100) + Frame(kRst, 4), 1000), 16);
}

TEST(FrameBudget, fault_19_floods_of_what_must_be_answered_are_cut) {
  EXPECT_EQ(Passed(Frame(kPing, 8), 1000), 200);
  EXPECT_EQ(Passed(Frame(kSettings, 6), 1000), 200);
}

TEST(FrameBudget, fault_19_a_header_block_that_is_large_or_never_ends_is_cut) {
  EXPECT_EQ(Passed(Frame(kHeaders, 8192), 1), 1);
  EXPECT_EQ(Passed(Frame(kHeaders, 8193), 1), 0);
  EXPECT_EQ(Passed(Frame(kContinuation, 1), 1), 0);
}

TEST(FrameBudget, what_is_no_http_2_is_cut) {
  FrameBudget budget(kStart);
  EXPECT_FALSE(budget.Take("GET / HTTP/1.1\r\n\r\n", kStart));
  FrameBudget late(kStart);
  EXPECT_TRUE(late.Take(kPreface.substr(0, 10), kStart));
  EXPECT_FALSE(late.Take("x", kStart));
}

TEST(FrameBudget, it_counts_alike_wherever_the_bytes_are_cut) {
  const std::string all = kPreface + Frame(kSettings, 18) + Frame(kHeaders, 300) +
                          Frame(kData, 5000) + Frame(kRst, 4) + Frame(kContinuation);
  const std::size_t last = all.size();
  for (std::size_t step = 1; step < 40; ++step) {
    FrameBudget budget(kStart);
    std::size_t at = 0;
    while (at < last && budget.Take(all.substr(at, step), kStart)) at += step;
    EXPECT_LT(at, last) << step;
    EXPECT_GE(at + step, last) << "cut before its last byte, in steps of " << step;
  }
}

}  // namespace
}  // namespace wsf::guard
