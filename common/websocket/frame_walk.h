// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/websocket/close.h"

namespace wsf::websocket {

/// What passed through a FrameWalk: complete data messages, payload bytes of data frames as on the
/// wire, and control frames.
struct Counts {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
  std::int64_t control_frames = 0;
};

/// How much more may be relayed: payload bytes of any frame, where an empty one counts as one byte,
/// and messages.
struct Allowance {
  std::uint64_t bytes = UINT64_MAX;
  std::uint64_t messages = UINT64_MAX;
};

/// Walks the frame headers of one direction of a WebSocket connection (RFC 6455 5.2) without
/// touching a payload, so that the bytes can be relayed as they are (A12).
///
/// It validates framing, not content (A13), and stops at what ends a session: a Close frame, a
/// violation, or a message over the limit. It never buffers: bytes that cannot be judged yet (a
/// header or a Close frame cut by the end of the read) are left for the caller to offer again,
/// followed by what comes next. There are at most kMaxCarryBytes of them.
///
/// Threading: not synchronized; confined to the session's thread.
class FrameWalk {
 public:
  /// Of the sender: a client must mask, a server must not (RFC 6455 5.1).
  enum class Sender { kClient, kServer };

  enum class Event {
    kNone,       ///< all was walked, up to a tail that is to be offered again
    kClose,      ///< `frame_bytes` of a valid Close frame follow; see close()
    kViolation,  ///< the next frame breaks RFC 6455 (E08, E10, E18, E20)
    kTooLarge,   ///< the next frame makes its message exceed the limit (P09, P10)
    kHeld,       ///< the allowance is used up; the rest is to be offered again, later
  };

  struct Step {
    std::size_t forward_bytes = 0;  ///< leading bytes that may be relayed
    Event event = Event::kNone;
    std::size_t frame_bytes = 0;  ///< only for kClose: size of the Close frame behind them
    bool has_data = false;        ///< the leading bytes hold some of a data frame (A6)
  };

  /// The longest tail that a Step may leave: a Close frame short of one byte.
  static constexpr std::size_t kMaxCarryBytes = 2 + 4 + 125;

  /// `allowed_rsv` are the RSV bits (0x70) that accepted extensions may set;
  /// `max_message_bytes` 0 means no limit.
  FrameWalk(Sender sender, std::uint8_t allowed_rsv, std::uint64_t max_message_bytes)
      : sender_(sender), allowed_rsv_(allowed_rsv), max_message_bytes_(max_message_bytes) {}

  /// Walks `bytes`, as far as `allowance` goes, and takes what is used from it; nullptr = no limit.
  /// A message is used when it is complete; its last frame begins only while one is left.
  /// REQUIRES: no event but kNone and kHeld was returned before.
  Step Walk(std::span<const std::uint8_t> bytes, Allowance* allowance = nullptr);

  /// The close code that the sender of a violation is told. REQUIRES: the last event was
  /// kViolation.
  std::uint16_t violation_code() const { return violation_code_; }

  /// The Close that ended the walk. REQUIRES: the last event was kClose.
  const Close& close() const { return close_; }

  /// Whether what was forwarded so far ends at a frame boundary: a frame of our own may be
  /// inserted only there (behaviour.md 9.3).
  bool at_frame_boundary() const { return payload_left_ == 0; }

  const Counts& counts() const { return counts_; }

 private:
  struct Header {
    std::size_t size = 0;  // 0: not complete yet
    std::uint64_t payload = 0;
    std::uint8_t opcode = 0;
    bool fin = false;
  };

  /// Reads a header at the front of `bytes`; false for a violation.
  bool ReadHeader(std::span<const std::uint8_t> bytes, Header* header) const;
  bool IsValidFirstBytes(std::uint8_t first, std::uint8_t second) const;
  /// Reads a whole Close frame; false for a violation.
  bool ReadClose(std::span<const std::uint8_t> frame, const Header& header);
  /// The fast path: whole unfragmented messages below 126 bytes at the front of `bytes`, which is
  /// what pipelined small messages are. Returns their size; leaves all else to the full walk.
  std::size_t WalkShortMessages(std::span<const std::uint8_t> bytes);
  static bool MustWait(const Header& header, const Allowance& allowance);
  void EnterDataFrame(const Header& header);

  Sender sender_;
  std::uint8_t allowed_rsv_;
  bool in_message_ = false;  // a fragmented message is open
  bool last_frame_ = false;  // the data frame in hand completes its message
  std::uint64_t max_message_bytes_;
  std::uint64_t message_bytes_ = 0;
  std::uint64_t payload_left_ = 0;  // of the frame in hand
  bool data_frame_ = false;         // the frame in hand is a data frame
  Counts counts_;
  Close close_;
  std::uint16_t violation_code_ = kProtocolError;
};

}  // namespace wsf::websocket
