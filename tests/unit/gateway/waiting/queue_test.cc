// SPDX-License-Identifier: Apache-2.0
#include "gateway/waiting/queue.h"

#include <gtest/gtest.h>

namespace wsf::waiting {
namespace {

TEST(Queue, H30_IsFirstInFirstOutAndBounded) {
  Queue<int> queue(2);
  EXPECT_TRUE(queue.Join("f", 1, 1));
  EXPECT_TRUE(queue.Join("f", 2, 2));
  EXPECT_FALSE(queue.Join("f", 3, 3));
  EXPECT_TRUE(queue.Join("g", 4, 4));  // each function has its own
  EXPECT_EQ(*queue.First("f"), 1);
  queue.Leave("f", 1);
  EXPECT_EQ(*queue.First("f"), 2);
  EXPECT_TRUE(queue.Join("f", 3, 5));
}

TEST(Queue, H14_WhoLeavesIsForgotten) {
  Queue<int> queue(10);
  queue.Join("f", 1, 6);
  queue.Join("f", 2, 7);
  queue.Leave("f", 1);
  queue.Leave("f", 1);
  EXPECT_EQ(*queue.First("f"), 2);
  queue.Leave("f", 2);
  EXPECT_EQ(queue.First("f"), nullptr);
}

TEST(Queue, D31_WhoComesBackGetsThePlaceThatItHad) {
  Queue<int> queue(2);
  queue.Join("f", 1, 1);
  queue.Join("f", 2, 2);
  queue.Leave("f", 1);
  queue.Join("f", 3, 3);
  queue.Return("f", 1, 1);  // it was let in before: the bound is not for it
  EXPECT_EQ(*queue.First("f"), 1);
  queue.Leave("f", 1);
  EXPECT_EQ(*queue.First("f"), 2);
}

}  // namespace
}  // namespace wsf::waiting
