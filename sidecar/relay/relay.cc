// SPDX-License-Identifier: Apache-2.0
#include "sidecar/relay/relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace wsf::relay {
namespace {

using session::Peer;
using websocket::FrameWalk;

// Reads of one side in a row before the other gets its turn.
constexpr int kReadsInARow = 8;

TimePoint Now() { return std::chrono::steady_clock::now(); }

bool IsBroken(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0;
}

}  // namespace

Relay::Relay(Socket client, Socket server, const session::Settings& settings,
             session::Clocks clocks, std::uint8_t allowed_rsv, ReadBuffer* buffer,
             Callbacks callbacks)
    : client_(Peer::kClient, std::move(client)),
      server_(Peer::kServer, std::move(server)),
      course_(&client_, &server_, settings, clocks, allowed_rsv),
      buffer_(buffer),
      callbacks_(std::move(callbacks)),
      timer_(client_.connection.socket().get_executor()) {}

void Relay::Start(std::string_view early) {
  const TimePoint now = Now();
  course_.Start(now);
  if (!early.empty()) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(early.data());
    course_.OnBytes(Peer::kServer, {bytes, early.size()}, now);
  }
  Settle();
}

void Relay::EndBy(session::EndKind kind) {
  course_.EndBy(kind, Now());
  Settle();
}

void Relay::Settle() {
  if (closed_) return;
  if (course_.outcome() && callbacks_.on_end != nullptr) {
    std::exchange(callbacks_.on_end, nullptr)(*course_.outcome());
  }
  if (!course_.gone()) {
    for (Side* side : {&server_, &client_}) {
      ArmWrite(*side);
      ArmRead(*side);
    }
    if (course_.holds()) ArmBreak();
    return ArmTimer();
  }
  closed_ = true;
  timer_.cancel();
  client_.connection.Close();
  server_.connection.Close();
  callbacks_.on_gone();
}

void Relay::ArmRead(Side& from) {
  if (from.read_armed || !course_.Reads(from.peer)) return;
  from.read_armed = true;
  from.connection.WaitReadable(
      [self = shared_from_this(), &from](const boost::system::error_code& error) {
        from.read_armed = false;
        if (!error) self->OnReadable(from);
      });
}

void Relay::ArmWrite(Side& to) {
  if (to.write_armed || !to.blocked()) return;
  to.write_armed = true;
  to.connection.socket().async_wait(
      Socket::wait_write, [self = shared_from_this(), &to](const boost::system::error_code& error) {
        to.write_armed = false;
        if (error || self->closed_) return;
        const bool took = to.outbox.Flush();
        if (took || !to.blocked()) self->course_.OnWritten(to.peer, Now());
        self->Settle();
      });
}

// A throttled client is not read, so its reset shows here only.
void Relay::ArmBreak() {
  if (std::exchange(client_.break_armed, true)) return;
  client_.connection.socket().async_wait(
      Socket::wait_error, [self = shared_from_this()](const boost::system::error_code& error) {
        self->client_.break_armed = false;
        if (error || self->closed_ || !self->course_.holds()) return;
        if (IsBroken(self->client_.connection.descriptor()))
          self->course_.OnEof(Peer::kClient, Now());
        self->Settle();
      });
}

// It is armed anew only for an earlier moment: a busy session does not touch it at every message.
void Relay::ArmTimer() {
  const TimePoint deadline = course_.NextDeadline();
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    self->armed_for_ = TimePoint::max();
    self->course_.OnTime(Now());
    self->Settle();
  });
}

void Relay::OnReadable(Side& from) {
  for (int i = 0; i < kReadsInARow && course_.Reads(from.peer); ++i) {
    if (!ReadOnce(from)) break;
  }
  Settle();
}

bool Relay::ReadOnce(Side& from) {
  // A copy of what is left from the last read, so that a header is walked in one piece.
  const std::string_view rest = course_.Rest(from.peer);
  std::uint8_t* const start = buffer_->bytes.data() + FrameWalk::kMaxCarryBytes - rest.size();
  std::copy(rest.begin(), rest.end(), start);
  std::uint8_t* const fresh = start + rest.size();
  const ssize_t n = from.connection.Read(reinterpret_cast<char*>(fresh), ReadBuffer::kReadBytes);
  if (n < 0) return false;
  if (n == 0) {
    course_.OnEof(from.peer, Now());
    return false;
  }
  const auto size = static_cast<std::size_t>(n);
  course_.OnBytes(from.peer, {start, rest.size() + size}, Now());
  return size == ReadBuffer::kReadBytes;  // a short read has emptied the socket
}

}  // namespace wsf::relay
