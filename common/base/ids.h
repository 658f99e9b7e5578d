// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wsf {

/// `size` bytes from the kernel's generator.
std::string RandomBytes(std::size_t size);

/// A UUIDv7 (RFC 9562 5.7): sorts by the time it was made. Names a request.
std::string NewRequestId(std::int64_t unix_micros);

/// A UUIDv4 (RFC 9562 5.4).
std::string NewUuid();

/// The 36 characters of a UUID. REQUIRES: `bytes` are 16.
std::string FormatUuid(std::string_view bytes);

/// Lower-case hexadecimal.
std::string Hex(std::string_view bytes);

/// Equality in time that depends on the lengths only: for secrets.
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace wsf
