// SPDX-License-Identifier: Apache-2.0
#include "common/websocket/frame_walk.h"

#include <algorithm>

namespace wsf::websocket {
namespace {

constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kRsv = 0x70;
constexpr std::uint8_t kMaskBit = 0x80;
constexpr std::uint8_t kContinuation = 0x0;
constexpr std::uint8_t kText = 0x1;
constexpr std::uint8_t kBinary = 0x2;
constexpr std::uint8_t kCloseOpcode = 0x8;
constexpr std::uint8_t kPong = 0xa;
constexpr std::uint8_t kMaxControlPayload = 125;

bool IsControl(std::uint8_t opcode) { return opcode >= kCloseOpcode; }

std::uint64_t ReadBigEndian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace

FrameWalk::Step FrameWalk::Walk(std::span<const std::uint8_t> bytes, Allowance* allowance) {
  Step step;
  while (true) {
    const auto rest = bytes.subspan(step.forward_bytes);
    if (payload_left_ > 0) {
      auto walked = std::min<std::uint64_t>(payload_left_, rest.size());
      if (allowance != nullptr) {
        walked = std::min(walked, allowance->bytes);
        allowance->bytes -= walked;
      }
      payload_left_ -= walked;
      step.forward_bytes += walked;
      step.has_data |= data_frame_ && walked > 0;
      if (data_frame_) counts_.bytes += static_cast<std::int64_t>(walked);
      if (payload_left_ > 0) {
        if (walked < rest.size()) step.event = Event::kHeld;
        return step;
      }
    }
    if (last_frame_) {
      ++counts_.messages;
      if (allowance != nullptr) --allowance->messages;
      last_frame_ = false;
    }
    if (allowance == nullptr) {
      const std::size_t whole = WalkShortMessages(bytes.subspan(step.forward_bytes));
      step.forward_bytes += whole;
      step.has_data |= whole > 0;
    }
    const auto next = bytes.subspan(step.forward_bytes);
    Header header;
    if (!ReadHeader(next, &header)) {
      step.event = Event::kViolation;
      return step;
    }
    if (header.size == 0) return step;
    if (header.opcode == kCloseOpcode) {
      const std::size_t frame_bytes = header.size + header.payload;
      if (next.size() < frame_bytes) return step;
      const bool valid = ReadClose(next.first(frame_bytes), header);
      step.event = valid ? Event::kClose : Event::kViolation;
      step.frame_bytes = valid ? frame_bytes : 0;
      return step;
    }
    if (!IsControl(header.opcode) && max_message_bytes_ > 0 &&
        header.payload > max_message_bytes_ - message_bytes_) {
      step.event = Event::kTooLarge;
      return step;
    }
    if (allowance != nullptr && MustWait(header, *allowance)) {
      step.event = Event::kHeld;
      return step;
    }
    // One without a payload is not for nothing, or a client could send as many as it likes.
    if (allowance != nullptr && header.payload == 0) --allowance->bytes;
    EnterDataFrame(header);
    step.forward_bytes += header.size;
    step.has_data |= data_frame_;
  }
}

// Held before its header, so that a frame of our own can still go in front of it.
bool FrameWalk::MustWait(const Header& header, const Allowance& allowance) {
  const bool completes = !IsControl(header.opcode) && header.fin;
  return (completes && allowance.messages == 0) || allowance.bytes == 0;
}

std::size_t FrameWalk::WalkShortMessages(std::span<const std::uint8_t> bytes) {
  const std::uint8_t mask_bit = sender_ == Sender::kClient ? kMaskBit : 0;
  const std::size_t header = sender_ == Sender::kClient ? 6 : 2;
  const std::uint64_t limit =
      max_message_bytes_ == 0 ? 125 : std::min<std::uint64_t>(125, max_message_bytes_);
  std::size_t walked = 0;
  if (in_message_) return 0;
  while (walked + header <= bytes.size()) {
    const std::uint8_t first = bytes[walked];
    // Without the mask bit that belongs here the length comes out over 125.
    const std::uint8_t length = bytes[walked + 1] ^ mask_bit;
    if ((first != (kFin | kText) && first != (kFin | kBinary)) || length > limit) break;
    if (walked + header + length > bytes.size()) break;
    walked += header + length;
    counts_.bytes += length;
    ++counts_.messages;
  }
  return walked;
}

void FrameWalk::EnterDataFrame(const Header& header) {
  payload_left_ = header.payload;
  data_frame_ = !IsControl(header.opcode);
  if (!data_frame_) {
    ++counts_.control_frames;
    return;
  }
  last_frame_ = header.fin;
  in_message_ = !header.fin;
  message_bytes_ = header.fin ? 0 : message_bytes_ + header.payload;
}

bool FrameWalk::IsValidFirstBytes(std::uint8_t first, std::uint8_t second) const {
  const std::uint8_t opcode = first & 0x0f;
  if ((first & kRsv & ~allowed_rsv_) != 0) return false;
  if (((second & kMaskBit) != 0) != (sender_ == Sender::kClient)) return false;
  switch (opcode) {
    case kContinuation: return in_message_;
    case kText:
    case kBinary: return !in_message_;
    default:
      return IsControl(opcode) && opcode <= kPong && (first & kFin) != 0 &&
             (second & 0x7f) <= kMaxControlPayload;
  }
}

bool FrameWalk::ReadHeader(std::span<const std::uint8_t> bytes, Header* header) const {
  if (bytes.size() < 2) return true;
  if (!IsValidFirstBytes(bytes[0], bytes[1])) return false;
  const std::uint8_t short_length = bytes[1] & 0x7f;
  const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  if (bytes.size() < 2 + length_bytes) return true;
  const std::uint64_t length =
      length_bytes == 0 ? short_length : ReadBigEndian(bytes.subspan(2, length_bytes));
  // RFC 6455 5.2: the minimal form, and the most significant bit of 64 must be 0.
  if (length_bytes == 2 && length < 126) return false;
  if (length_bytes == 8 && (length < 65536 || length >> 63 != 0)) return false;
  const std::size_t size = 2 + length_bytes + (sender_ == Sender::kClient ? 4 : 0);
  if (bytes.size() < size) return true;
  *header = {size, length, static_cast<std::uint8_t>(bytes[0] & 0x0f), (bytes[0] & kFin) != 0};
  return true;
}

bool FrameWalk::ReadClose(std::span<const std::uint8_t> frame, const Header& header) {
  std::string body(frame.begin() + static_cast<std::ptrdiff_t>(header.size), frame.end());
  if (sender_ == Sender::kClient) {
    const auto key = frame.subspan(header.size - 4, 4);
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(body[i] ^ key[i % 4]);
  }
  std::optional<Close> close = ParseClose(body);
  if (!close) {
    violation_code_ = CodeForInvalidClose(body);
    return false;
  }
  close_ = *std::move(close);
  ++counts_.control_frames;
  return true;
}

}  // namespace wsf::websocket
