// SPDX-License-Identifier: Apache-2.0
#include "sidecar/relay/relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace wsf::relay {
namespace {

using session::End;
using session::EndKind;
using session::Goodbye;
using session::Peer;
using websocket::FrameWalk;

// Longer lets a slow peer still read what is queued; every ended session may hold its instance so
// long (A7).
constexpr auto kLingerTime = std::chrono::seconds(2);
// A server closes TCP first (RFC 6455 7.1.1); one that does not costs its client this wait.
constexpr auto kServerFinTime = std::chrono::seconds(1);
// Reads of one side in a row before the other gets its turn.
constexpr int kReadsInARow = 8;

std::string_view AsText(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TimePoint Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Relay::Relay(Socket client, Socket server, const session::Settings& settings,
             session::Clocks clocks, std::uint8_t allowed_rsv, ReadBuffer* buffer,
             Callbacks callbacks)
    : client_(Peer::kClient, std::move(client),
              FrameWalk(FrameWalk::Sender::kClient, allowed_rsv, settings.max_message_bytes)),
      server_(Peer::kServer, std::move(server),
              FrameWalk(FrameWalk::Sender::kServer, allowed_rsv, settings.max_message_bytes)),
      settings_(settings),
      clocks_(clocks),
      buffer_(buffer),
      callbacks_(std::move(callbacks)),
      timer_(client_.socket.get_executor()) {}

void Relay::Start(std::string_view early) {
  clocks_.Established(Now());
  ArmTimer(clocks_.NextDeadline());
  if (!early.empty()) {
    Take(server_, {reinterpret_cast<const std::uint8_t*>(early.data()), early.size()});
  }
  ArmRead(server_);
  ArmRead(client_);
}

void Relay::EndBy(EndKind kind) {
  if (phase_ == Phase::kLive) EndWith({kind, Peer::kServer, {}});
}

void Relay::ArmRead(Side& from) {
  const bool held_back = phase_ != Phase::kLingering && other(from).outbox.blocked();
  if (from.read_armed || from.at_eof || held_back || phase_ == Phase::kGone) return;
  from.read_armed = true;
  from.socket.async_wait(Socket::wait_read, [self = shared_from_this(),
                                             &from](const boost::system::error_code& error) {
    from.read_armed = false;
    if (!error) self->OnReadable(from);
  });
}

void Relay::ArmWrite(Side& to) {
  if (to.write_armed || !to.outbox.blocked() || phase_ == Phase::kGone) return;
  to.write_armed = true;
  to.socket.async_wait(Socket::wait_write,
                       [self = shared_from_this(), &to](const boost::system::error_code& error) {
                         to.write_armed = false;
                         if (!error) self->OnWritable(to);
                       });
}

void Relay::ArmTimer(TimePoint deadline) {
  phase_deadline_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->OnTimer();
  });
}

void Relay::OnTimer() {
  if (Now() < phase_deadline_) return;  // it was armed anew while this call was on its way
  switch (phase_) {
    case Phase::kLive:
      if (const auto kind = clocks_.Check(Now())) return EndWith({*kind, Peer::kServer, {}});
      return ArmTimer(clocks_.NextDeadline());
    case Phase::kClosing: return FinishClosing(CloseHandshake::kTimeout);
    case Phase::kAwaitingServerFin: return Linger();
    case Phase::kLingering: client_.at_eof = server_.at_eof = true; return CheckGone();
    case Phase::kGone: return;
  }
}

void Relay::OnReadable(Side& from) {
  for (int i = 0; i < kReadsInARow; ++i) {
    if (!ReadOnce(from)) break;
  }
  ArmRead(from);
}

bool Relay::ReadOnce(Side& from) {
  // A copy of what is left from the last read, so that a header is walked in one piece.
  const std::size_t carried = from.carry.size();
  std::uint8_t* const start = buffer_->bytes.data() + FrameWalk::kMaxCarryBytes - carried;
  std::copy(from.carry.begin(), from.carry.end(), start);
  const ssize_t n =
      recv(from.socket.native_handle(), start + carried, ReadBuffer::kReadBytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
  if (n <= 0) {
    OnEof(from);
    return false;
  }
  const bool dropped = phase_ == Phase::kAwaitingServerFin || phase_ == Phase::kLingering;
  if (!dropped && !from.sent_close) {
    from.carry.clear();
    Take(from, {start, carried + static_cast<std::size_t>(n)});
  }
  // A short read has emptied the socket; a blocked far side stops the reading (I8).
  return static_cast<std::size_t>(n) == ReadBuffer::kReadBytes && !other(from).outbox.blocked();
}

void Relay::Take(Side& from, std::span<const std::uint8_t> bytes) {
  const FrameWalk::Step step = from.walk.Walk(bytes);
  Side& to = other(from);
  if (step.forward_bytes > 0) {
    Forward(to, AsText(bytes.first(step.forward_bytes)), step.has_data);
  }
  switch (step.event) {
    case FrameWalk::Event::kNone: {
      const auto tail = AsText(bytes.subspan(step.forward_bytes));
      from.carry.assign(tail.data(), tail.size());
      return;
    }
    case FrameWalk::Event::kClose:
      return OnClose(from, AsText(bytes.subspan(step.forward_bytes, step.frame_bytes)));
    case FrameWalk::Event::kViolation: return EndWith({EndKind::kProtocolError, from.peer, {}});
    case FrameWalk::Event::kTooLarge: return EndWith({EndKind::kMessageTooLarge, from.peer, {}});
  }
}

void Relay::Forward(Side& to, std::string_view bytes, bool has_data) {
  if (to.outbox.Send(bytes) && has_data) clocks_.Touch(Now());
  ArmWrite(to);
}

void Relay::OnWritable(Side& to) {
  if (to.outbox.Flush()) clocks_.Touch(Now());
  ArmWrite(to);
  if (to.outbox.blocked()) return;
  if (phase_ == Phase::kLingering) ShutDown(to);
  ArmRead(other(to));
}

void Relay::OnClose(Side& from, std::string_view frame) {
  from.sent_close = true;
  Forward(other(from), frame, false);
  if (phase_ == Phase::kClosing) return FinishClosing(CloseHandshake::kComplete);
  end_ = {EndKind::kClosed, from.peer, from.walk.close()};
  phase_ = Phase::kClosing;
  ArmTimer(Now() + settings_.close_timeout);
}

void Relay::OnEof(Side& from) {
  from.at_eof = true;
  switch (phase_) {
    case Phase::kLive: return EndWith({EndKind::kLost, from.peer, {}});
    case Phase::kClosing:
      // The answer to the first Close can not come any more.
      if (!from.sent_close) FinishClosing(CloseHandshake::kNone);
      return;
    case Phase::kAwaitingServerFin:
      if (from.peer == Peer::kServer) Linger();
      return;
    case Phase::kLingering: return CheckGone();
    case Phase::kGone: return;
  }
}

void Relay::EndWith(End end) {
  if (phase_ == Phase::kClosing) return FinishClosing(CloseHandshake::kNone);
  if (phase_ != Phase::kLive) return;
  end_ = std::move(end);
  const session::Verdict verdict = session::Judge(end_, settings_);
  Say(client_, verdict.to_client);
  Say(server_, verdict.to_server);
  Report(CloseHandshake::kNone);
  Linger();
}

void Relay::Say(Side& to, const Goodbye& goodbye) {
  // Within a frame a Close would be read as payload: only the abort is left (behaviour.md 9.3).
  if (goodbye.kind != Goodbye::Kind::kClose || !other(to).walk.at_frame_boundary()) return;
  const auto mask =
      to.peer == Peer::kServer ? websocket::Mask::kMasked : websocket::Mask::kUnmasked;
  to.outbox.Send(websocket::CloseFrame(goodbye.code, goodbye.text, mask));
}

void Relay::FinishClosing(CloseHandshake handshake) {
  Report(handshake);
  if (handshake != CloseHandshake::kComplete || server_.at_eof) return Linger();
  phase_ = Phase::kAwaitingServerFin;
  ArmTimer(Now() + kServerFinTime);
}

void Relay::Report(CloseHandshake handshake) {
  callbacks_.on_end({end_, handshake, client_.walk.counts(), server_.walk.counts()});
}

void Relay::Linger() {
  phase_ = Phase::kLingering;
  ArmTimer(Now() + kLingerTime);
  for (Side* each : {&server_, &client_}) {
    if (!each->outbox.blocked()) ShutDown(*each);
    ArmWrite(*each);
    ArmRead(*each);
  }
  CheckGone();
}

void Relay::ShutDown(Side& to) {
  if (std::exchange(to.shut_down, true)) return;
  boost::system::error_code ignored;
  to.socket.shutdown(Socket::shutdown_send, ignored);
  if (phase_ == Phase::kLingering) CheckGone();
}

void Relay::CheckGone() {
  const bool flushed = client_.shut_down && server_.shut_down;
  const bool timed_out = Now() >= phase_deadline_;
  if (phase_ == Phase::kGone || !client_.at_eof || !server_.at_eof || (!flushed && !timed_out)) {
    return;
  }
  phase_ = Phase::kGone;
  timer_.cancel();
  boost::system::error_code ignored;
  client_.socket.close(ignored);
  server_.socket.close(ignored);
  callbacks_.on_gone();
}

}  // namespace wsf::relay
