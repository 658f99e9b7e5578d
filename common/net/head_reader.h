// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/net/await.h"
#include "common/net/connection.h"

namespace wsf::net {

/// A head as it came, and what came behind it.
struct HeadBytes {
  std::string head;  ///< empty line included
  std::string rest;
};

/// Reads one HTTP head. The deadline is for the whole head, not for each byte (faults.md 34).
/// ResourceExhausted: over `max_bytes`. DeadlineExceeded. Unavailable: the peer left before it had
/// sent a byte. InvalidArgument: it left, or sent a NUL, in the middle.
awaitable<absl::StatusOr<HeadBytes>> ReadHead(Connection& connection, std::size_t max_bytes,
                                              std::chrono::steady_clock::duration time);

/// Sends all of `text` and ends the connection: FIN, then what still comes is read and dropped for
/// at most 2 s, so that no RST overtakes the text.
awaitable<void> SendAndClose(Connection connection, std::string text);

}  // namespace wsf::net
