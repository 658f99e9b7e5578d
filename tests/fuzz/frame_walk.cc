// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <string>
#include <vector>

#include "common/websocket/frame_walk.h"
#include "tests/fuzz/fuzz.h"

namespace {

using wsf::websocket::Allowance;
using wsf::websocket::FrameWalk;

struct Walked {
  std::vector<std::uint8_t> forwarded;
  FrameWalk::Event event = FrameWalk::Event::kNone;
  wsf::websocket::Counts counts;
};

// Offers `bytes` in pieces of `step`; with `allowance` no more than that passes at a time.
Walked WalkAll(const std::vector<std::uint8_t>& bytes, FrameWalk walk, std::size_t step,
               std::uint64_t allowance) {
  Walked walked;
  std::vector<std::uint8_t> rest;
  for (std::size_t at = 0; at < bytes.size() && walked.event == FrameWalk::Event::kNone;) {
    const std::size_t n = std::min(step, bytes.size() - at);
    rest.insert(rest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                bytes.begin() + static_cast<std::ptrdiff_t>(at + n));
    at += n;
    while (true) {
      Allowance left{allowance, 1};
      const FrameWalk::Step one = walk.Walk(rest, allowance == 0 ? nullptr : &left);
      Require(one.forward_bytes <= rest.size());
      const auto end = rest.begin() + static_cast<std::ptrdiff_t>(one.forward_bytes);
      walked.forwarded.insert(walked.forwarded.end(), rest.begin(), end);
      rest.erase(rest.begin(), end);
      if (one.event == FrameWalk::Event::kHeld) continue;
      walked.event = one.event;
      if (one.event == FrameWalk::Event::kNone) Require(rest.size() <= FrameWalk::kMaxCarryBytes);
      break;
    }
  }
  walked.counts = walk.counts();
  return walked;
}

}  // namespace

// However a stream is cut and throttled, the same bytes pass and the same event ends it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const auto sender = data[0] % 2 == 0 ? FrameWalk::Sender::kClient : FrameWalk::Sender::kServer;
  const std::uint8_t rsv = data[0] & 0x70;
  const std::uint64_t limit = data[1] * 16u;
  const std::size_t step = 1 + data[2] % 64;
  const std::vector<std::uint8_t> bytes(data + 3, data + size);
  const FrameWalk fresh(sender, rsv, limit);
  const Walked whole = WalkAll(bytes, fresh, bytes.size() + 1, 0);
  for (const Walked& other :
       {WalkAll(bytes, fresh, step, 0), WalkAll(bytes, fresh, step, 1 + data[2])}) {
    Require(other.forwarded == whole.forwarded && other.event == whole.event);
    Require(other.counts.messages == whole.counts.messages &&
            other.counts.bytes == whole.counts.bytes);
  }
  Require(std::equal(whole.forwarded.begin(), whole.forwarded.end(), bytes.begin()));
  return 0;
}
