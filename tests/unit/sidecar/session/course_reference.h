// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "sidecar/session/settings.h"
#include "sidecar/session/verdict.h"

namespace wsf::session {

/// Section 7.4 of behaviour.md, written a second time and as plainly as it stands there: it keeps
/// all bytes and reads them from the first one anew after each arrival. What it says is compared
/// with what Course does.
class Reference {
 public:
  Reference(const Settings& settings, TimePoint start)
      : settings_(settings), start_(start), idle_from_(start), last_message_(start) {}

  void OnBytes(Peer from, std::string_view bytes, TimePoint now);
  void OnEof(Peer from);
  void OnTime(TimePoint now);
  void OnPlatform(EndKind kind);

  /// The function status code; nothing while the session lives.
  std::optional<int> code() const { return code_; }
  /// Of the Close that ended the session: how many bytes of its sender's stream it ends at.
  std::size_t close_ends_at() const { return close_ends_at_; }
  std::optional<Peer> closed_by() const { return closed_by_; }

 private:
  struct Reading {
    enum class Found { kNothing, kClose, kViolation, kTooLarge } found = Found::kNothing;
    int close_code = 0;
    std::size_t offset = 0;      // behind what was found
    std::size_t data_bytes = 0;  // of data frames whose header is complete
  };
  Reading Read(Peer from) const;
  void End(int code) {
    if (!code_) code_ = code;
  }
  static std::size_t Index(Peer peer) { return peer == Peer::kClient ? 0 : 1; }
  static int Failure(Peer peer) { return peer == Peer::kClient ? 456 : 439; }

  const Settings settings_;
  const TimePoint start_;
  TimePoint idle_from_;
  TimePoint last_message_;
  std::array<std::string, 2> stream_;
  std::array<std::size_t, 2> data_bytes_{};
  std::array<bool, 2> closed_{};
  std::optional<int> code_;
  std::optional<Peer> closed_by_;
  std::size_t close_ends_at_ = 0;
};

}  // namespace wsf::session
