// SPDX-License-Identifier: Apache-2.0
#include "common/net/head_reader.h"

#include <array>
#include <boost/asio/buffer.hpp>

#include "common/http/head.h"
#include "common/net/deadline.h"

namespace wsf::net {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(2);

absl::Status WhyEnded(bool timed_out, bool empty) {
  if (timed_out) return absl::DeadlineExceededError("the request head did not arrive in time");
  if (empty) return absl::UnavailableError("the peer left");
  return absl::InvalidArgumentError("the connection ended within the request head");
}

}  // namespace

awaitable<absl::StatusOr<HeadBytes>> ReadHead(Connection& connection, std::size_t max_bytes,
                                              std::chrono::steady_clock::duration time) {
  std::string bytes;
  Deadline deadline(connection.socket(), time);
  std::array<char, 4096> part;
  while (true) {
    error_code error;
    const std::size_t n = co_await connection.ReadSome(part.data(), part.size(), error);
    if (error || deadline.passed()) co_return WhyEnded(deadline.passed(), bytes.empty());
    bytes.append(part.data(), n);
    const auto size = http::HeadSize(bytes);
    if (size.value_or(bytes.size()) > max_bytes) {
      co_return absl::ResourceExhaustedError("the request head is too large");
    }
    if (size) co_return HeadBytes{bytes.substr(0, *size), bytes.substr(*size)};
  }
}

awaitable<void> SendAndClose(Connection connection, std::string text) {
  error_code error;
  Deadline deadline(connection.socket(), kLingerTime);
  co_await connection.WriteAll(text, error);
  if (!error) connection.Finish();
  std::array<char, 4096> dropped;
  while (!error && !deadline.passed()) {
    co_await connection.ReadSome(dropped.data(), dropped.size(), error);
  }
  connection.Close();
}

}  // namespace wsf::net
