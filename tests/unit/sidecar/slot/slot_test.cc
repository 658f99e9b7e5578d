// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/slot.h"

#include <gtest/gtest.h>

namespace wsf::slot {
namespace {

using Answer = Slot::Answer;

Slot FreeSlot() {
  Slot slot;
  slot.PortListens();
  slot.Acknowledge("token");
  return slot;
}

TEST(Slot, I1_H25_ASecondClaimIsBusy) {
  Slot slot = FreeSlot();
  EXPECT_EQ(slot.Take("token", 1), Answer::kTaken);
  EXPECT_EQ(slot.Take("token", 1), Answer::kBusy);
  EXPECT_EQ(slot.Describe(), "live 1");
}

TEST(Slot, I2_S0_16_AnInstanceNeverServesAgain) {
  Slot slot = FreeSlot();
  slot.Take("token", 1);
  slot.Release();
  EXPECT_EQ(slot.Take("token", 1), Answer::kClosed);
  EXPECT_EQ(slot.Describe(), "ending");
}

TEST(Slot, A27_TakesAsManyAsTheConcurrencyWhileOneIsLive) {
  Slot slot = FreeSlot();
  EXPECT_EQ(slot.Take("token", 2), Answer::kTaken);
  EXPECT_EQ(slot.Take("token", 2), Answer::kTaken);
  EXPECT_EQ(slot.Take("token", 2), Answer::kBusy);
  slot.Release();
  EXPECT_EQ(slot.Take("token", 2), Answer::kTaken);
  slot.Release();
  slot.Release();
  EXPECT_EQ(slot.Take("token", 2), Answer::kClosed);
}

TEST(Slot, NothingIsProvenBeforeTheTokenHasCome) {
  Slot slot;
  EXPECT_EQ(slot.Take("", 1), Answer::kStarting);
  EXPECT_FALSE(slot.Proves(""));
  slot.PortListens();
  slot.Acknowledge("token");
  EXPECT_EQ(slot.Take("", 1), Answer::kDenied);
  EXPECT_EQ(slot.Take("tokem", 1), Answer::kDenied);
}

TEST(Slot, AClaimThatThePortRefusedIsUndone) {
  Slot slot = FreeSlot();
  slot.Take("token", 1);
  slot.Undo();
  EXPECT_EQ(slot.Describe(), "starting");
  slot.PortListens();
  slot.Acknowledge("token");
  EXPECT_EQ(slot.Take("token", 1), Answer::kTaken);
}

TEST(Slot, AFreeInstanceWhosePortHasGoneIsStarting) {
  Slot slot = FreeSlot();
  slot.PortGone();
  EXPECT_EQ(slot.Take("token", 1), Answer::kStarting);
}

TEST(Slot, CloseNeedsASlotThatIsNotInUse) {
  Slot slot = FreeSlot();
  EXPECT_TRUE(slot.Close());
  EXPECT_EQ(slot.Take("token", 1), Answer::kClosed);
  Slot live = FreeSlot();
  live.Take("token", 1);
  EXPECT_FALSE(live.Close());
}

}  // namespace
}  // namespace wsf::slot
