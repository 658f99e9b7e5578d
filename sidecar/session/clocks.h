// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "common/base/time.h"
#include "sidecar/session/verdict.h"

namespace wsf::session {

/// The idle and the execution clock of one session, as a pure state machine.
///
/// The caller owns the time: it passes `now` in and sleeps until NextDeadline(), so a silent
/// session costs one timer and no wake-up before its end. Nothing here blocks, allocates or reads a
/// clock.
///
/// Threading: not synchronized; confined to the session's thread.
class Clocks {
 public:
  /// `request_start` is when the slot was taken (A8). REQUIRES: execution > 0; idle >= 0, where 0
  /// switches the idle clock off (C3).
  Clocks(TimePoint request_start, Duration idle, Duration execution)
      : idle_(idle),
        idle_from_(request_start),
        last_message_(request_start),
        end_(request_start + execution) {}

  /// The 101 was passed on: the idle clock starts anew (A9).
  void Established(TimePoint now) { idle_from_ = now; }

  /// The far socket took bytes of a data frame, in either direction (A6).
  void Touch(TimePoint now) { idle_from_ = last_message_ = now; }

  /// It is looked at the clock, perhaps late: the machine or the container was stopped. What the
  /// peers said meanwhile is still to be read, so the idle clock gets the lateness back and two
  /// seconds more (A9). The execution clock gets nothing back.
  void Looked(TimePoint now);

  /// The earliest moment at which Check() can report an end.
  TimePoint NextDeadline() const;

  /// When the execution clock ends it.
  TimePoint end() const { return end_; }

  /// The end that `now` brings, if any. Idle wins a tie: a session that the execution clock cuts
  /// after a whole idle time without a message was idle, not in use (A9, P07).
  std::optional<EndKind> Check(TimePoint now) const;

 private:
  bool idle_clock_is_on() const { return idle_ > Duration::zero(); }

  Duration idle_;
  TimePoint idle_from_;
  TimePoint last_message_;  // the request's start while there was none (A9)
  TimePoint end_;
};

}  // namespace wsf::session
