// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wsf {

/// Whether `text` is well-formed UTF-8 (RFC 3629).
bool IsUtf8(std::string_view text);

/// `text` with what is not UTF-8 replaced by U+FFFD: for protobuf's strings, which must be UTF-8.
std::string ToUtf8(std::string_view text);

/// `text` as a JSON string with its quotes. Control characters are escaped and bytes that are not
/// UTF-8 become U+FFFD, so that what a client sent can neither break a log line nor forge one.
std::string JsonText(std::string_view text);

}  // namespace wsf
