// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wsf::websocket {

inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kNoCode = 1005;    ///< recorded for an empty Close, never sent
inline constexpr std::uint16_t kAbnormal = 1006;  ///< recorded for a loss, never sent
inline constexpr std::uint16_t kInvalidPayload = 1007;
inline constexpr std::uint16_t kPolicyViolation = 1008;
inline constexpr std::uint16_t kTooBig = 1009;
inline constexpr std::uint16_t kServiceRestart = 1012;

/// The body of a Close frame.
struct Close {
  std::uint16_t code = kNoCode;
  std::string reason;

  bool operator==(const Close&) const = default;
};

/// Whether a peer may put `code` on the wire: 1000-1003, 1007-1014, 3000-4999 (RFC 6455 7.4 and the
/// IANA registry; E08).
bool IsValidCloseCode(std::uint16_t code);

/// Reads an unmasked Close body; nothing for a 1-byte body, a code that must not be sent or a
/// reason that is not UTF-8 (E08, E18). An empty body is code 1005.
std::optional<Close> ParseClose(std::string_view body);

/// What the sender of a Close body that ParseClose() does not take is told: 1007 where only its
/// reason is not UTF-8, else 1002 (RFC 6455 7.4.1).
std::uint16_t CodeForInvalidClose(std::string_view body);

/// A whole Close frame. `kMasked` (with a fresh key) is for the server's side, RFC 6455 5.3.
/// REQUIRES: reason.size() <= 123.
enum class Mask { kUnmasked, kMasked };
std::string CloseFrame(std::uint16_t code, std::string_view reason, Mask mask);

}  // namespace wsf::websocket
