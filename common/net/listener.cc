// SPDX-License-Identifier: Apache-2.0
#include "common/net/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/net/endpoint.h"

namespace wsf::net {
namespace {

// Shorter recovers sooner, longer costs less while nothing is to be had.
constexpr auto kPause = std::chrono::milliseconds(100);
// Hung up on in a row while out of descriptors; the rest waits in the backlog.
constexpr int kHangUps = 64;

// A descriptor that can be given up when there is no other.
class Reserve {
 public:
  Reserve() { Take(); }
  ~Reserve() { Give(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  void Take() {
    if (descriptor_ < 0) descriptor_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  void Give() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_ = -1;
};

void HangUp(Acceptor& acceptor, Reserve& reserve) {
  for (int i = 0; i < kHangUps; ++i) {
    reserve.Give();
    error_code error;
    Acceptor::protocol_type::socket client(acceptor.get_executor());
    acceptor.accept(client, error);
    client.close(error);
    reserve.Take();
    if (error) return;
  }
}

}  // namespace

absl::StatusOr<Acceptor> Listen(asio::io_context& io, const std::string& address) {
  const auto endpoint = ParseEndpoint(address);
  if (!endpoint) return absl::InvalidArgumentError(absl::StrCat(address, " is not ip:port"));
  Acceptor acceptor(io);
  error_code error;
  acceptor.open(endpoint->protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error && endpoint->address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(*endpoint, error);
  if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
  if (!error) acceptor.non_blocking(true, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address, ": ", error.message(), "; choose another"));
  }
  return acceptor;
}

awaitable<void> AcceptAll(Acceptor acceptor, std::function<void(asio::ip::tcp::socket)> take) {
  Reserve reserve;
  asio::steady_timer pause(acceptor.get_executor());
  while (true) {
    error_code error;
    asio::ip::tcp::socket client = co_await acceptor.async_accept(Await(error));
    if (error == asio::error::operation_aborted) co_return;
    if (!error) {
      take(std::move(client));
      continue;
    }
    HangUp(acceptor, reserve);
    pause.expires_after(kPause);
    co_await pause.async_wait(Await(error));
  }
}

}  // namespace wsf::net
