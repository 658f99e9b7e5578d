// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace wsf::observe {

/// Lines to a descriptor whose reader may stand still: a terminal after Ctrl-S, a pager, the log
/// pipe of a node whose disk is full. Nobody waits for it. What it does not take at once is kept,
/// up to kMaxKept, and written by a thread of its own as it is taken; what comes beyond that is
/// dropped, and one line says how many lines are missing, in their place.
///
/// Thread-safe. A line that was taken at once has been written when Write returns, so that an end
/// of the process loses none.
class LineWriter {
 public:
  static constexpr std::size_t kMaxKept = 256 * 1024;  ///< bytes

  /// The line in place of `lines` dropped ones.
  using DescribeDropped = std::function<std::string(std::uint64_t lines)>;

  /// `descriptor` stays the caller's and open.
  LineWriter(int descriptor, DescribeDropped describe);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  void Write(std::string_view line);
  /// Waits until all that is kept is out, at most for `time`; to be called at the end.
  void Finish(Duration time);

 private:
  struct Shared;
  static void WriteKept(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;  // the thread may outlive this
};

}  // namespace wsf::observe
