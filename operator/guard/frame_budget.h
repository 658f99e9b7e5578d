// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/time.h"

namespace wsf::guard {

/// What one client may ask of gRPC 1.51, which itself lets a certified peer have gigabytes: it
/// counts the frames (RFC 9113 section 4.1) that make a server remember or answer something.
/// A relay opens one stream, a gateway one for its life, and neither needs CONTINUATION
/// (faults.md 19: rapid reset, endless headers, floods of PING and SETTINGS).
///
/// Pure; not synchronized. One for each connection.
class FrameBudget {
 public:
  /// HEADERS and RST_STREAM.
  static constexpr double kStreams = 32;
  static constexpr double kStreamsPerSecond = 4;
  /// PING and SETTINGS: gRPC probes the bandwidth with them, at most about ten times a second.
  static constexpr double kAnswers = 200;
  static constexpr double kAnswersPerSecond = 50;
  /// A header block: a token takes 1 to 2 KB of it.
  static constexpr std::uint32_t kHeaderBytes = 8 * 1024;

  explicit FrameBudget(TimePoint now) : streams_(kStreams), answers_(kAnswers), then_(now) {}

  /// The next bytes of the client, cut anywhere. False = more than it may, or no HTTP/2: the
  /// connection is to be cut, and nothing of `bytes` passed on.
  bool Take(std::string_view bytes, TimePoint now);

 private:
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  static constexpr std::size_t kHeadBytes = 9;

  bool TakeFrame(TimePoint now);
  void Refill(TimePoint now);

  std::size_t preface_ = 0;  // bytes of it that have come
  std::array<unsigned char, kHeadBytes> head_;
  std::size_t head_size_ = 0;
  std::uint32_t payload_ = 0;  // bytes of the frame that are still to come
  double streams_;
  double answers_;
  TimePoint then_;
};

}  // namespace wsf::guard
