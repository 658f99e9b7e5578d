// SPDX-License-Identifier: Apache-2.0
#include "common/websocket/close.h"

#include "common/base/ids.h"
#include "common/base/text.h"

namespace wsf::websocket {

bool IsValidCloseCode(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

std::optional<Close> ParseClose(std::string_view body) {
  if (body.empty()) return Close{};
  if (body.size() == 1) return std::nullopt;
  const auto code = static_cast<std::uint16_t>(static_cast<unsigned char>(body[0]) << 8 |
                                               static_cast<unsigned char>(body[1]));
  const std::string_view reason = body.substr(2);
  if (!IsValidCloseCode(code) || !IsUtf8(reason)) return std::nullopt;
  return Close{code, std::string(reason)};
}

std::uint16_t CodeForInvalidClose(std::string_view body) {
  const bool only_text_is_wrong = body.size() > 2 && ParseClose(body.substr(0, 2)).has_value();
  return only_text_is_wrong ? kInvalidPayload : kProtocolError;
}

std::string CloseFrame(std::uint16_t code, std::string_view reason, Mask mask) {
  std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  body += reason;
  std::string frame{'\x88', static_cast<char>(body.size())};
  if (mask == Mask::kUnmasked) return frame + body;
  const std::string key = RandomBytes(4);
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(body[i] ^ key[i % 4]);
  frame[1] = static_cast<char>(frame[1] | 0x80);
  return frame + key + body;
}

}  // namespace wsf::websocket
