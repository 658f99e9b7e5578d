// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/http/head.h"
#include "common/http/refusal.h"

namespace wsf::http {

/// Limits on a client's request head (H23, H29). Most servers take 16 KiB, and what we add to it
/// must find room.
inline constexpr std::size_t kMaxHeadBytes = 15 * 1024;
inline constexpr std::size_t kMaxFields = 100;
inline constexpr std::size_t kMaxTargetBytes = 8 * 1024;

/// The strict rules of contracts.md "Headers" for a handshake, in the order H29 (size of the
/// target), H23, H01, H29. Nothing when `head` is one that may reach a server. The version number
/// is the server's to judge (A19).
std::optional<Refusal> CheckHandshake(const RequestHead& head);

/// What a client offered, by which its server's 101 is judged.
struct Offer {
  std::string key;
  std::vector<std::string> subprotocols;
  std::vector<std::string> extensions;  ///< names only
};
Offer OfferOf(const RequestHead& head);

/// The strict check of a 101 against smuggling (H19): Upgrade, Connection, the right Accept, no
/// subprotocol or extension that was not offered, no body. InvalidArgument says what is wrong.
absl::Status CheckSwitchingProtocols(const AnswerHead& head, const Offer& offer);

/// The RSV bits (mask 0x70) that the extensions accepted in a 101 may set: none without one,
/// RSV1 for permessage-deflate (RFC 7692), all for any other.
std::uint8_t AllowedRsv(const AnswerHead& head);

/// Sec-WebSocket-Accept for a key (RFC 6455 4.2.2).
std::string AcceptFor(std::string_view key);

/// Drops what ends at this hop (RFC 9110 7.6.1): the fields named by Connection, and Keep-Alive,
/// Proxy-*, TE, Trailer. The caller sets Connection anew.
void DropHopByHop(Fields* fields);

/// A field's name as servers compare it: many read `_` as `-`, and capitals as small letters.
std::string PlainFieldName(std::string_view name);
/// Whether a field is the platform's: X-Wsf-*.
bool IsPlatformField(std::string_view name);
/// Whether a field says where a request came from, which is not the client's to say: X-Forwarded-*,
/// X-Real-IP, Forwarded.
bool IsForwardingField(std::string_view name);

}  // namespace wsf::http
