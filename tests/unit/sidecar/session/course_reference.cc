// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/sidecar/session/course_reference.h"

#include <algorithm>

namespace wsf::session {
namespace {

bool IsGoodCode(int code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

Reference::Reading Reference::Read(Peer from) const {
  const std::string& s = stream_[Index(from)];
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  using Found = Reading::Found;
  Reading reading;
  bool fragmented = false;
  std::uint64_t message = 0;
  std::size_t at = 0;
  while (s.size() >= at + 2) {
    const int first = byte(at);
    const int opcode = first & 15;
    const bool fin = (first & 128) != 0;
    const bool masked = (byte(at + 1) & 128) != 0;
    std::uint64_t length = byte(at + 1) & 127;
    const bool control = opcode >= 8;
    bool bad = (first & 0x70) != 0 || masked != (from == Peer::kClient);
    bad |= (opcode > 2 && opcode < 8) || opcode > 10;
    bad |= control && (!fin || length > 125);
    bad |= !control && (opcode == 0) != fragmented;
    if (bad) return {Found::kViolation, 0, at, reading.data_bytes};
    std::size_t header = 2;
    if (length >= 126) {
      const std::size_t wide = length == 126 ? 2 : 8;
      if (s.size() < at + 2 + wide) return reading;
      length = 0;
      for (std::size_t i = 0; i < wide; ++i) length = length * 256 + byte(at + 2 + i);
      if (length < (wide == 2 ? 126u : 65536u) || length >> 63 != 0) {
        return {Found::kViolation, 0, at, reading.data_bytes};
      }
      header += wide;
    }
    if (masked) header += 4;
    if (s.size() < at + header) return reading;
    const std::size_t end = at + header + static_cast<std::size_t>(length);
    if (opcode == 8) {
      if (s.size() < end) return reading;
      std::string body = s.substr(at + header, static_cast<std::size_t>(length));
      for (std::size_t i = 0; masked && i < body.size(); ++i) {
        body[i] = static_cast<char>(body[i] ^ s[at + header - 4 + i % 4]);
      }
      const int code = body.empty()       ? 1005
                       : body.size() == 1 ? 0
                                          : static_cast<unsigned char>(body[0]) * 256 +
                                                static_cast<unsigned char>(body[1]);
      const bool good = body.empty() || IsGoodCode(code);
      return {good ? Found::kClose : Found::kViolation, code, end, reading.data_bytes};
    }
    if (!control) {
      if (settings_.max_message_bytes > 0 && message + length > settings_.max_message_bytes) {
        return {Found::kTooLarge, 0, at, reading.data_bytes};
      }
      message = fin ? 0 : message + length;
      fragmented = !fin;
      reading.data_bytes += std::min(s.size(), end) - at;
    }
    at = end;
  }
  return reading;
}

void Reference::OnBytes(Peer from, std::string_view bytes, TimePoint now) {
  if (closed_[Index(from)]) return;
  stream_[Index(from)].append(bytes);
  const Reading reading = Read(from);
  if (reading.data_bytes > std::exchange(data_bytes_[Index(from)], reading.data_bytes)) {
    idle_from_ = last_message_ = now;
  }
  switch (reading.found) {
    case Reading::Found::kNothing: return;
    case Reading::Found::kClose: {
      closed_[Index(from)] = true;
      if (code_) return;
      closed_by_ = from;
      close_ends_at_ = reading.offset;
      const int code = reading.close_code;
      const bool success = code == 1000 || (code == 1010 && from == Peer::kClient) ||
                           (code == 1011 && from == Peer::kServer) ||
                           (code == 1005 && settings_.empty_close == EmptyClose::kSuccess);
      return End(success ? 200 : Failure(from));
    }
    case Reading::Found::kViolation: closed_[Index(from)] = true; return End(Failure(from));
    case Reading::Found::kTooLarge:
      closed_[Index(from)] = true;
      return End(from == Peer::kClient ? 406 : 407);
  }
}

void Reference::OnEof(Peer from) { End(Failure(from)); }

void Reference::OnTime(TimePoint now) {
  const Duration idle = settings_.idle_timeout;
  // A9: looked at more than a second late.
  const Duration late = now - idle_from_ - idle;
  if (idle > Duration::zero() && late > std::chrono::seconds(1)) {
    idle_from_ += late + std::chrono::seconds(2);
    last_message_ += late + std::chrono::seconds(2);
  }
  if (idle > Duration::zero() && now - idle_from_ >= idle) return End(455);
  if (now - start_ < settings_.execution_timeout) return;
  End(idle > Duration::zero() && now - last_message_ >= idle ? 455 : 433);
}

void Reference::OnPlatform(EndKind kind) { End(kind == EndKind::kGatewayShutdown ? 500 : 499); }

}  // namespace wsf::session
