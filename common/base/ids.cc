// SPDX-License-Identifier: Apache-2.0
#include "common/base/ids.h"

#include <sys/random.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace wsf {
namespace {

std::string WithVersion(std::string bytes, char version) {
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | version);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  return bytes;
}

}  // namespace

std::string FormatUuid(std::string_view bytes) {
  const std::string hex = Hex(bytes);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string RandomBytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t filled = 0; filled < size;) {
    const ssize_t got = getrandom(bytes.data() + filled, size - filled, 0);
    if (got < 0) std::abort();  // cannot fail on Linux >= 3.17 but by EINTR before any byte
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string NewRequestId(std::int64_t unix_micros) {
  std::string bytes = RandomBytes(16);
  std::int64_t millis = unix_micros / 1000;
  for (int i = 5; i >= 0; --i, millis >>= 8) bytes[i] = static_cast<char>(millis & 0xff);
  return FormatUuid(WithVersion(std::move(bytes), 0x70));
}

std::string NewUuid() { return FormatUuid(WithVersion(RandomBytes(16), 0x40)); }

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

}  // namespace wsf
