// SPDX-License-Identifier: Apache-2.0
#include "operator/port.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/net/listener.h"
#include "common/rpc/credentials.h"
#include "operator/service/self_check.h"

namespace wsf::control {
namespace {

constexpr auto kPause = std::chrono::seconds(5);
constexpr auto kValid = std::chrono::seconds(20);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string AddressFromWithin(const net::Acceptor& acceptor) {
  auto own = acceptor.local_endpoint();
  if (own.address().is_unspecified()) own.address(boost::asio::ip::address_v4::loopback());
  const std::string ip = own.address().to_string();
  return own.address().is_v6() ? absl::StrCat("[", ip, "]:", own.port())
                               : absl::StrCat(ip, ":", own.port());
}

}  // namespace

Port::Port(boost::asio::io_context& io, boost::asio::io_context& guard_io,
           const std::string& address, guard::Guard::Options options, grpc::Service* service,
           int max_message_bytes)
    : io_(io),
      guard_io_(guard_io),
      address_(address),
      server_(service, max_message_bytes),
      guard_(guard_io, std::move(options), [this](int descriptor) { server_.Serve(descriptor); }),
      timer_(io) {}

absl::Status Port::Listen() {
  absl::StatusOr<net::Acceptor> acceptor = net::Listen(guard_io_, address_);
  if (!acceptor.ok()) return acceptor.status();
  own_address_ = AddressFromWithin(*acceptor);
  acceptor_ = *std::move(acceptor);
  return absl::OkStatus();
}

void Port::Use(const keys::PortKeys& keys) {
  guard_.Use(keys.trusted, keys.serving);
  trusted_ = keys.trusted;
  client_ = keys.client;
  if (!acceptor_) return;
  // Posted behind the certificates, which the guard takes on its own thread.
  boost::asio::post(guard_io_,
                    [this, acceptor = std::make_shared<net::Acceptor>(*std::exchange(
                               acceptor_, std::nullopt))] { guard_.Serve(std::move(*acceptor)); });
  answered_ = Now();
  Check();
}

bool Port::Answers() const { return answered_ == TimePoint::max() || Now() < answered_ + kValid; }

void Port::Check() {
  service::AskForNothing(rpc::DialOperator(own_address_, trusted_, client_), [this](bool serves) {
    boost::asio::post(io_, [this, serves] {
      if (serves) answered_ = Now();
      timer_.expires_after(kPause);
      timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) Check();
      });
    });
  });
}

}  // namespace wsf::control
