// SPDX-License-Identifier: Apache-2.0
#include "gateway/tunnel/tunnel.h"

#include <utility>

namespace wsf::tunnel {
namespace {

// A client that does not end after the sidecar has, and that has read all, or reads no more: its
// FIN is not worth a longer wait. One that reads slowly has a minute for what is left.
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr auto kLongestLinger = std::chrono::seconds(60);
// Reads of one side in a row before the others get their turn.
constexpr int kReadsInARow = 8;

}  // namespace

Tunnel::Tunnel(net::Connection client, Socket sidecar, ReadBuffer* buffer,
               std::function<void(Lost)> on_end)
    : client_(std::move(client)),
      sidecar_(std::move(sidecar)),
      buffer_(buffer),
      on_end_(std::move(on_end)) {}

void Tunnel::Start(std::string_view early) {
  if (!early.empty()) client_.outbox.Send(early);
  ArmWrite(client_);
  ArmRead(sidecar_);
  ArmRead(client_);
}

void Tunnel::ArmRead(Side& from) {
  if (closed_ || from.at_eof || other(from).outbox.blocked()) return;
  from.connection.WaitReadable(
      [self = shared_from_this(), &from](const boost::system::error_code& error) {
        if (!error && !self->closed_) self->OnReadable(from);
      });
}

void Tunnel::ArmWrite(Side& to) {
  if (closed_ || to.write_armed || !to.outbox.blocked()) return;
  to.write_armed = true;
  to.connection.socket().async_wait(
      Socket::wait_write, [self = shared_from_this(), &to](const boost::system::error_code& error) {
        to.write_armed = false;
        if (error || self->closed_) return;
        to.outbox.Flush();
        if (to.outbox.blocked()) return self->ArmWrite(to);
        Side& from = self->other(to);
        if (from.at_eof) return self->ShutDown(to);
        self->ArmRead(from);
      });
}

void Tunnel::OnReadable(Side& from) {
  Side& to = other(from);
  for (int i = 0; i < kReadsInARow; ++i) {
    const ssize_t n = from.connection.Read(buffer_->data(), buffer_->size());
    if (n < 0) break;
    if (n == 0) return OnEof(from);
    to.outbox.Send({buffer_->data(), static_cast<std::size_t>(n)});
    // A short read has emptied the socket, but for what TLS keeps of it.
    const bool emptied = static_cast<std::size_t>(n) < buffer_->size();
    if ((emptied && !from.connection.pending()) || to.outbox.blocked()) break;
  }
  ArmWrite(to);
  ArmRead(from);
}

void Tunnel::OnEof(Side& from) {
  from.at_eof = true;
  const Lost lost = &from == &client_ ? Lost::kToClient : Lost::kToServer;
  if (on_end_ != nullptr) std::exchange(on_end_, nullptr)(lost);
  Side& to = other(from);
  if (to.outbox.blocked()) {
    ArmWrite(to);
  } else {
    ShutDown(to);
  }
  if (&from != &sidecar_ || closed_) return;
  // The sidecar has said all it will say.
  linger_ = std::make_unique<boost::asio::steady_timer>(client_.connection.socket().get_executor());
  unsent_ = client_.outbox.unsent();
  linger_until_ = std::chrono::steady_clock::now() + kLongestLinger;
  Linger();
}

void Tunnel::Linger() {
  linger_->expires_after(kLingerTime);
  linger_->async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    const std::size_t before = std::exchange(self->unsent_, self->client_.outbox.unsent());
    const bool reads = self->unsent_ > 0 && self->unsent_ < before;
    if (!reads || std::chrono::steady_clock::now() >= self->linger_until_) return self->Close();
    self->Linger();
  });
}

void Tunnel::ShutDown(Side& to) {
  if (!std::exchange(to.shut_down, true)) to.connection.Finish();
  if (client_.at_eof && sidecar_.at_eof) Close();
}

void Tunnel::Close() {
  if (std::exchange(closed_, true)) return;
  client_.connection.Close();
  sidecar_.connection.Close();
  if (linger_ != nullptr) linger_->cancel();
  if (on_end_ != nullptr) std::exchange(on_end_, nullptr)(Lost::kToClient);
}

}  // namespace wsf::tunnel
