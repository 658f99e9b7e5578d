// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

namespace wsf::http {

/// Finds where an answer's body ends while it is relayed as it is (H17, H18): by Content-Length,
/// by chunks (RFC 9112 6.3), or, with neither, by the end of the connection.
class BodyEnd {
 public:
  BodyEnd();
  ~BodyEnd();

  /// Takes the next bytes of the answer, its head first. Returns how many of them belong to it.
  /// A malformed body counts as ended.
  std::size_t Take(std::string_view bytes);

  /// Whether the whole answer was taken. Never for one that ends with the connection.
  bool done() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace wsf::http
