// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/door.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "sidecar/slot/answers.h"

namespace wsf::slot {
namespace {

constexpr int kMaxReading = 8;
constexpr auto kHeadTime = std::chrono::seconds(5);
constexpr std::size_t kMaxHeadBytes = 24 * 1024;
// Out of descriptors: wait instead of spinning.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Door::Door(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& address,
           Instance* instance, net::error_code& error)
    : io_(io), acceptor_(io), instance_(instance) {
  using Acceptor = boost::asio::ip::tcp::acceptor;
  acceptor_.open(address.protocol(), error);
  if (error) return;
  acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (address.address().is_v6()) acceptor_.set_option(boost::asio::ip::v6_only(false), error);
  acceptor_.bind(address, error);
  if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
}

void Door::Start() { net::Spawn(io_.get_executor(), Accept()); }

net::awaitable<void> Door::Accept() {
  while (acceptor_.is_open()) {
    net::error_code error;
    boost::asio::ip::tcp::socket client = co_await acceptor_.async_accept(net::Await(error));
    if (error == boost::asio::error::operation_aborted) co_return;
    if (error) {
      boost::asio::steady_timer pause(io_, kAcceptPause);
      co_await pause.async_wait(net::Await(error));
      continue;
    }
    if (reading_ >= kMaxReading) continue;  // its destructor hangs up
    net::Spawn(io_.get_executor(), Read(std::move(client)));
  }
}

net::awaitable<void> Door::Read(boost::asio::ip::tcp::socket client) {
  ++reading_;
  net::Connection connection(std::move(client));
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, kMaxHeadBytes, kHeadTime);
  --reading_;
  if (bytes.ok()) {
    co_await instance_->Serve(std::move(connection.socket()), *std::move(bytes));
  } else if (!absl::IsUnavailable(bytes.status())) {
    co_await net::SendAndClose(std::move(connection), SidecarAnswer(400, "denied", ""));
  }
}

}  // namespace wsf::slot
