// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sidecar/session/course.h"

namespace wsf::session {

/// An outlet whose peer takes `capacity` bytes, the rest when Drain() says so.
class FakeOutlet final : public Outlet {
 public:
  bool Send(std::string_view bytes) override;
  bool blocked() const override { return !queued.empty(); }
  std::size_t unsent() const override { return queued.size() + on_its_way; }
  bool is_behind() const override { return blocked() || waiting; }
  void Finish() override { finished = true; }
  /// The peer reads `n` more bytes; returns how many there were.
  std::size_t Drain(std::size_t n);

  std::size_t capacity = SIZE_MAX;
  std::string taken;
  std::string queued;
  std::size_t on_its_way = 0;
  bool waiting = false;  // in our kernel
  bool finished = false;
};

/// One frame as `sender` would write it; a client's is masked with a fixed key.
std::string FrameOf(Peer sender, int opcode, std::string_view payload, bool fin = true);
/// A Close frame with `code`; 0 = empty.
std::string CloseOf(Peer sender, int code);

/// Gives `bytes` to the course behind what it has not judged yet, as a Relay does.
void Give(Course* course, Peer from, std::string_view bytes, TimePoint now);

}  // namespace wsf::session
