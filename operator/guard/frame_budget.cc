// SPDX-License-Identifier: Apache-2.0
#include "operator/guard/frame_budget.h"

#include <algorithm>

namespace wsf::guard {
namespace {

// RFC 9113 section 6.
enum FrameType : unsigned char {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
};

}  // namespace

bool FrameBudget::Take(std::string_view bytes, TimePoint now) {
  while (!bytes.empty()) {
    if (preface_ < kPreface.size()) {
      const std::size_t size = std::min(bytes.size(), kPreface.size() - preface_);
      if (bytes.substr(0, size) != kPreface.substr(preface_, size)) return false;
      preface_ += size;
      bytes.remove_prefix(size);
    } else if (payload_ > 0) {
      const std::size_t size = std::min<std::size_t>(bytes.size(), payload_);
      payload_ -= static_cast<std::uint32_t>(size);
      bytes.remove_prefix(size);
    } else {
      head_[head_size_++] = static_cast<unsigned char>(bytes[0]);
      bytes.remove_prefix(1);
      if (head_size_ == kHeadBytes && !TakeFrame(now)) return false;
    }
  }
  return true;
}

bool FrameBudget::TakeFrame(TimePoint now) {
  head_size_ = 0;
  payload_ = std::uint32_t{head_[0]} << 16 | std::uint32_t{head_[1]} << 8 | head_[2];
  switch (head_[3]) {
    case kHeaders:
      if (payload_ > kHeaderBytes) return false;
      [[fallthrough]];
    case kRstStream: Refill(now); return --streams_ >= 0;
    case kSettings:
    case kPing: Refill(now); return --answers_ >= 0;
    case kData:  // flow control holds it
    case kPriority:
    case kGoAway:
    case kWindowUpdate: return true;
    default:  // CONTINUATION, and what a client never sends
      return false;
  }
}

void FrameBudget::Refill(TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - then_).count();
  then_ = now;
  streams_ = std::min(kStreams, streams_ + seconds * kStreamsPerSecond);
  answers_ = std::min(kAnswers, answers_ + seconds * kAnswersPerSecond);
}

}  // namespace wsf::guard
