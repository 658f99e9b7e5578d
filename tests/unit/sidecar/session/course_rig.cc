// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/sidecar/session/course_rig.h"

#include <algorithm>

namespace wsf::session {

bool FakeOutlet::Send(std::string_view bytes) {
  const std::size_t n = blocked() ? 0 : std::min(capacity, bytes.size());
  taken.append(bytes.substr(0, n));
  if (capacity != SIZE_MAX) capacity -= n;
  queued.append(bytes.substr(n));
  return n > 0;
}

std::size_t FakeOutlet::Drain(std::size_t n) {
  n = std::min(n, queued.size());
  taken.append(queued, 0, n);
  queued.erase(0, n);
  return n;
}

std::string FrameOf(Peer sender, int opcode, std::string_view payload, bool fin) {
  const int mask = sender == Peer::kClient ? 0x80 : 0;
  std::string frame(1, static_cast<char>((fin ? 0x80 : 0) | opcode));
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(mask | static_cast<int>(payload.size())));
  } else {
    frame.push_back(static_cast<char>(mask | 126));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size()));
  }
  if (mask == 0) return frame.append(payload);
  const std::string_view key = "\x11\x22\x33\x44";
  frame.append(key);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  }
  return frame;
}

std::string CloseOf(Peer sender, int code) {
  std::string body;
  if (code != 0) body = {static_cast<char>(code >> 8), static_cast<char>(code)};
  return FrameOf(sender, 8, body);
}

void Give(Course* course, Peer from, std::string_view bytes, TimePoint now) {
  std::string all(course->Rest(from));
  all.append(bytes);
  course->OnBytes(from, {reinterpret_cast<const std::uint8_t*>(all.data()), all.size()}, now);
}

}  // namespace wsf::session
