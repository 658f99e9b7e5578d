// SPDX-License-Identifier: Apache-2.0
#include "operator/guard/guard.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <utility>

#include "common/observe/log.h"
#include "operator/guard/frame_budget.h"

namespace wsf::guard {
namespace {

using net::Await;
using net::awaitable;
using net::error_code;

constexpr auto kHandshakeTime = std::chrono::seconds(5);
// An honest handshake takes milliseconds: so many more would have to come meanwhile to end it.
constexpr std::size_t kMaxUnknown = 512;
// Of each of the four queues of a socket pair. Larger costs memory that a hostile peer can fill,
// smaller costs a wake-up more for each message beyond it.
constexpr int kPairBytes = 16 * 1024;
constexpr std::size_t kBufferBytes = 16 * 1024;

bool MakePair(int (&ends)[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return false;
  for (const int end : ends) {
    setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kPairBytes, sizeof kPairBytes);
    setsockopt(end, SOL_SOCKET, SO_RCVBUF, &kPairBytes, sizeof kPairBytes);
  }
  return true;
}

}  // namespace

// One connection: TLS on one side, gRPC on the other. Ends when either ends, or its time is up.
struct Guard::Bridge {
  Bridge(net::Connection a_client, Inner an_inner)
      : client(std::move(a_client)), inner(std::move(an_inner)), timer(inner.get_executor()) {}
  void Close() {
    error_code ignored;
    client.Close();
    inner.close(ignored);
    timer.cancel();
  }

  net::Connection client;
  Inner inner;
  boost::asio::steady_timer timer;
};

Guard::Guard(boost::asio::io_context& io, Options options, Take take)
    : io_(io),
      options_(std::move(options)),
      take_(std::move(take)),
      admission_({.in_all = options_.limits.in_all}),
      sources_({.per_address = options_.limits.per_address, .whole_addresses = true}),
      tls_(options_.client_name) {}

void Guard::Use(const std::string& authorities, const tls::KeyPair& own) {
  boost::asio::post(io_, [this, authorities, own] {
    const absl::Status status = tls_.Use(authorities, own);
    if (status.ok()) return;
    observe::Log(observe::Level::kError, "certificates not taken, the old ones stay in use",
                 {{"error", std::string(status.message())}});
  });
}

void Guard::Serve(net::Acceptor acceptor) {
  net::Spawn(io_.get_executor(),
             net::AcceptAll(std::move(acceptor), [this](net::Connection::Socket socket) {
               net::Spawn(io_.get_executor(), Open(net::Connection(std::move(socket))));
             }));
}

// Whoever has no certificate takes no place of those who have one, and is the first to go.
awaitable<bool> Guard::Introduce(net::Connection& client) {
  error_code error;
  const auto source = client.socket().remote_endpoint(error);
  if (error || !client.Add(sources_.EnterFrom(source.address().to_string()))) {
    ++full_;
    co_return false;
  }
  const std::uint64_t self = ++arrivals_;
  unknown_[self] = &client;
  if (unknown_.size() > kMaxUnknown) {
    // Not closed: its descriptor would be another's while its handshake still holds the number.
    unknown_.begin()->second->socket().shutdown(net::Connection::Socket::shutdown_both, error);
    unknown_.erase(unknown_.begin());
  }
  const absl::Status status = co_await tls_.Accept(client, kHandshakeTime);
  unknown_.erase(self);
  if (!status.ok()) {
    ++certificate_;
  } else if (!client.Add(admission_.Enter())) {
    ++full_;
  } else {
    co_return true;
  }
  co_return false;
}

awaitable<void> Guard::Open(net::Connection client) {
  int ends[2];
  const bool is_known = co_await Introduce(client);
  if (!is_known || !MakePair(ends)) co_return;
  error_code error;
  Inner inner(io_);
  inner.assign(boost::asio::local::stream_protocol(), ends[0], error);
  const auto bridge = std::make_shared<Bridge>(std::move(client), std::move(inner));
  take_(ends[1]);
  if (options_.lifetime != Duration::max()) {
    bridge->timer.expires_after(options_.lifetime);
    bridge->timer.async_wait([bridge](const error_code& ended) {
      if (!ended) bridge->Close();
    });
  }
  net::Spawn(io_.get_executor(), PumpIn(bridge));
  net::Spawn(io_.get_executor(), PumpOut(bridge));
}

awaitable<void> Guard::PumpIn(std::shared_ptr<Bridge> bridge) {
  const auto buffer = std::make_unique_for_overwrite<std::array<char, kBufferBytes>>();
  FrameBudget budget(std::chrono::steady_clock::now());
  error_code error;
  while (!error) {
    const std::size_t size = co_await bridge->client.ReadSome(buffer->data(), kBufferBytes, error);
    if (error) break;
    const std::string_view read(buffer->data(), size);
    if (!budget.Take(read, std::chrono::steady_clock::now())) {
      ++frames_;
      break;
    }
    const auto bytes = boost::asio::buffer(buffer->data(), size);
    co_await boost::asio::async_write(bridge->inner, bytes, Await(error));
  }
  bridge->Close();
}

awaitable<void> Guard::PumpOut(std::shared_ptr<Bridge> bridge) {
  const auto buffer = std::make_unique_for_overwrite<std::array<char, kBufferBytes>>();
  error_code error;
  while (!error) {
    const auto room = boost::asio::buffer(*buffer);
    const std::size_t size = co_await bridge->inner.async_read_some(room, Await(error));
    if (error) break;
    const std::string_view bytes(buffer->data(), size);
    co_await bridge->client.WriteAll(bytes, error);
  }
  bridge->Close();
}

}  // namespace wsf::guard
