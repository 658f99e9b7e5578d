// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "common/net/connection.h"

namespace wsf::net {

/// The way out to one socket: what the kernel does not take at once is kept, in order, and the
/// caller stops reading the other side until it is gone (I8). Holds memory only while blocked.
///
/// Threading: not synchronized; confined to the session's thread.
class Outbox {
 public:
  /// `connection` outlives the outbox.
  explicit Outbox(Connection* connection) : connection_(connection) {}

  /// Sends or queues `bytes`. Returns whether the socket took any. After a send error everything
  /// is dropped silently: what the peer sent before it went away is still to be read, and its end
  /// shows there (E12, E29).
  bool Send(std::string_view bytes);

  /// Sends what is queued, as far as the socket takes it. Returns whether it took any.
  bool Flush();

  /// Whether bytes wait for the socket to become writable.
  bool blocked() const { return !queued_.empty(); }

  /// How much the peer has not got yet: what is queued, and what its machine has not acknowledged.
  std::size_t unsent() const {
    return broken_ ? 0 : queued_.size() + connection_->Unacknowledged();
  }

  /// Whether bytes wait here, or in our kernel, for which the peer's has no room.
  bool is_behind() const { return !broken_ && (blocked() || connection_->Waiting() > 0); }

  /// Drops what is queued and takes nothing more.
  void Break();

 private:
  std::size_t SendNow(std::string_view bytes);

  Connection* const connection_;
  bool broken_ = false;
  std::string queued_;
};

}  // namespace wsf::net
