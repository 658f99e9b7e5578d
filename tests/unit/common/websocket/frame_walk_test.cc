// SPDX-License-Identifier: Apache-2.0
#include "common/websocket/frame_walk.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace wsf::websocket {
namespace {

using Event = FrameWalk::Event;
using Sender = FrameWalk::Sender;
using Bytes = std::vector<std::uint8_t>;

Bytes Frame(std::uint8_t first, std::size_t payload, Sender sender) {
  const std::uint8_t mask = sender == Sender::kClient ? 0x80 : 0;
  Bytes frame = {first};
  if (payload < 126) {
    frame.push_back(static_cast<std::uint8_t>(mask | payload));
  } else if (payload < 65536) {
    frame.insert(frame.end(),
                 {static_cast<std::uint8_t>(mask | 126), static_cast<std::uint8_t>(payload >> 8),
                  static_cast<std::uint8_t>(payload)});
  } else {
    frame.push_back(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) {
      frame.push_back(static_cast<std::uint8_t>(payload >> shift));
    }
  }
  if (mask != 0) frame.insert(frame.end(), {1, 2, 3, 4});
  frame.resize(frame.size() + payload, 'x');
  return frame;
}

void Append(const Bytes& more, Bytes* to) { to->insert(to->end(), more.begin(), more.end()); }

TEST(FrameWalk, CountsMessagesBytesAndControlFrames) {
  Bytes stream;
  for (const auto& [first, payload] : std::vector<std::pair<int, std::size_t>>{
           {0x01, 3}, {0x89, 125}, {0x00, 0}, {0x80, 70000}, {0x82, 0}}) {
    Append(Frame(static_cast<std::uint8_t>(first), payload, Sender::kClient), &stream);
  }
  FrameWalk walk(Sender::kClient, 0, 0);
  const FrameWalk::Step step = walk.Walk(stream);
  EXPECT_EQ(step.event, Event::kNone);
  EXPECT_EQ(step.forward_bytes, stream.size());
  EXPECT_EQ(walk.counts().messages, 2);
  EXPECT_EQ(walk.counts().bytes, 70003);
  EXPECT_EQ(walk.counts().control_frames, 1);
  EXPECT_TRUE(walk.at_frame_boundary());
}

TEST(FrameWalk, I3_WhatComesOutIsWhatWentInHoweverItIsCut) {
  Bytes stream;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    Append(Frame(i % 3 == 0 ? 0x89 : 0x82, random() % (i % 3 == 0 ? 126 : 70000), Sender::kServer),
           &stream);
  }
  for (int round = 0; round < 20; ++round) {
    FrameWalk walk(Sender::kServer, 0, 0);
    Bytes out;
    Bytes carry;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 40000, stream.size() - at);
      Bytes read = carry;
      read.insert(read.end(), stream.begin() + static_cast<std::ptrdiff_t>(at),
                  stream.begin() + static_cast<std::ptrdiff_t>(at + n));
      const FrameWalk::Step step = walk.Walk(read);
      ASSERT_EQ(step.event, Event::kNone);
      out.insert(out.end(), read.begin(),
                 read.begin() + static_cast<std::ptrdiff_t>(step.forward_bytes));
      carry.assign(read.begin() + static_cast<std::ptrdiff_t>(step.forward_bytes), read.end());
      ASSERT_LE(carry.size(), FrameWalk::kMaxCarryBytes);
      at += n;
    }
    EXPECT_EQ(out, stream);
  }
}

TEST(FrameWalk, P09_P11_TheLimitCountsTheWholeMessageAndPassesAtExactlyIt) {
  Bytes stream = Frame(0x01, 60, Sender::kClient);
  Append(Frame(0x80, 40, Sender::kClient), &stream);
  const std::size_t within = stream.size();
  Append(Frame(0x01, 60, Sender::kClient), &stream);
  const std::size_t first_fragment = stream.size();
  Append(Frame(0x80, 41, Sender::kClient), &stream);
  FrameWalk walk(Sender::kClient, 0, 100);
  const FrameWalk::Step step = walk.Walk(stream);
  EXPECT_EQ(step.event, Event::kTooLarge);
  EXPECT_GT(step.forward_bytes, within);
  EXPECT_EQ(step.forward_bytes, first_fragment);
}

TEST(FrameWalk, HoldsBackAnIncompleteClose) {
  FrameWalk walk(Sender::kServer, 0, 0);
  const Bytes close = {0x88, 5, 0x03, 0xe8, 'b', 'y', 'e'};
  for (std::size_t n = 0; n < close.size(); ++n) {
    const FrameWalk::Step step = walk.Walk(std::span(close).first(n));
    EXPECT_EQ(step.forward_bytes, 0u);
    EXPECT_EQ(step.event, Event::kNone);
  }
  const FrameWalk::Step step = walk.Walk(close);
  EXPECT_EQ(step.event, Event::kClose);
  EXPECT_EQ(step.frame_bytes, close.size());
  EXPECT_EQ(walk.close(), (Close{1000, "bye"}));
}

struct Violation {
  const char* name;
  Bytes bytes;  // unmasked, as a server sends
};

class BrokenFraming : public testing::TestWithParam<Violation> {};

TEST_P(BrokenFraming, E10_E20_StopsBeforeTheFrame) {
  Bytes stream = Frame(0x81, 2, Sender::kServer);
  const std::size_t good = stream.size();
  Append(GetParam().bytes, &stream);
  FrameWalk walk(Sender::kServer, 0, 0);
  const FrameWalk::Step step = walk.Walk(stream);
  EXPECT_EQ(step.event, Event::kViolation);
  EXPECT_EQ(step.forward_bytes, good);
}

INSTANTIATE_TEST_SUITE_P(
    Section5, BrokenFraming,
    testing::Values(Violation{"rsv1", {0xc1, 0}}, Violation{"opcode3", {0x83, 0}},
                    Violation{"opcodeB", {0x8b, 0}}, Violation{"masked", {0x81, 0x80}},
                    Violation{"fragmentedPing", {0x09, 0}}, Violation{"longPing", {0x89, 126}},
                    Violation{"orphanContinuation", {0x80, 0}},
                    Violation{"longForm16", {0x82, 126, 0, 125}},
                    Violation{"longForm64", {0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
                    Violation{"mostSignificantBit", {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}},
                    Violation{"oneByteClose", {0x88, 1, 3}},
                    Violation{"closeCode999", {0x88, 2, 0x03, 0xe7}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(FrameWalk, S0_08_AnAcceptedExtensionMayUseItsRsvBit) {
  const Bytes compressed = {0xc1, 0};
  FrameWalk walk(Sender::kServer, 0x40, 0);
  EXPECT_EQ(walk.Walk(compressed).event, Event::kNone);
  FrameWalk strict(Sender::kServer, 0x40, 0);
  EXPECT_EQ(strict.Walk(Bytes{0xa1, 0}).event, Event::kViolation);
}

}  // namespace
}  // namespace wsf::websocket
