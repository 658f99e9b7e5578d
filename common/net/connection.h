// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/net/await.h"

namespace wsf::net {

/// What may lie between the bytes of a connection and its socket: TLS (common/tls).
class Layer {
 public:
  virtual ~Layer() = default;
  /// As Connection's.
  virtual ssize_t Read(char* buffer, std::size_t size) = 0;
  virtual ssize_t Write(std::string_view bytes) = 0;
  /// Whether bytes have been taken from the socket and not been read yet.
  virtual bool pending() const = 0;
  /// Says to the peer that nothing more comes.
  virtual void Finish() = 0;
};

/// One TCP connection, plain or under a Layer, read and written without ever blocking: the owner
/// waits until it is ready, then reads or writes. The one place that sends and receives. Once
/// closed it does neither, whoever still holds it: the number of its descriptor may be another's by
/// then.
///
/// Threading: confined to the io_context's thread.
class Connection {
 public:
  using Socket = asio::ip::tcp::socket;

  // Implicit: a plain socket is a connection.
  Connection(Socket socket) : socket_(std::move(socket)) {}  // NOLINT

  /// From here on the bytes pass `layer`, which works on this connection's descriptor.
  void Put(std::unique_ptr<Layer> layer) { layer_ = std::move(layer); }

  /// `companion` lives as long as the connection: a place among those that are admitted. False
  /// where there is none.
  bool Add(std::shared_ptr<void> companion) {
    if (companion == nullptr) return false;
    companions_.push_back(std::move(companion));
    return true;
  }

  /// Up to `size` bytes; 0 = the peer sends nothing more, or is gone; -1 = nothing is there now.
  ssize_t Read(char* buffer, std::size_t size);
  /// How many of `bytes` went out, 0 when the peer must read first; -1 = the connection is broken.
  ssize_t Write(std::string_view bytes);
  /// Ends this direction: what was written before still arrives.
  void Finish();
  void Close();
  /// How many bytes that were written the peer's machine has not acknowledged.
  std::size_t Unacknowledged();
  /// How many of them have not been sent at all: its machine has no room for them, or the way to
  /// it.
  std::size_t Waiting();

  bool pending() const { return socket_.is_open() && layer_ != nullptr && layer_->pending(); }
  /// Calls `handler(error_code)` once there is something to read.
  template <typename Handler>
  void WaitReadable(Handler handler) {
    if (!pending()) return socket_.async_wait(Socket::wait_read, std::move(handler));
    asio::post(socket_.get_executor(),
               [handler = std::move(handler)]() mutable { handler(error_code()); });
  }

  /// Reads some bytes, waiting for them; 0 with `error` set when there is none to come.
  awaitable<std::size_t> ReadSome(char* buffer, std::size_t size, error_code& error);
  /// Writes all of `bytes`, waiting for the peer.
  awaitable<void> WriteAll(std::string_view bytes, error_code& error);

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }
  int descriptor() { return socket_.native_handle(); }

 private:
  std::size_t Ask(unsigned long request);

  Socket socket_;
  std::unique_ptr<Layer> layer_;
  std::vector<std::shared_ptr<void>> companions_;
};

}  // namespace wsf::net
