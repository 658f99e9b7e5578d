// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/addresses.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace wsf::runtime {
namespace {

constexpr int kFirstNetwork = 64;
constexpr int kLastNetwork = 127;
constexpr std::uint32_t kPlaces = 255 * 254;
constexpr auto kRest = std::chrono::seconds(60);

// Binds a fresh socket; returns the port it got, 0 when it could not.
std::uint16_t TryBind(const std::string& address, std::uint16_t port) {
  using boost::asio::ip::tcp;
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(address, error);
  if (error) return 0;
  boost::asio::io_context io;
  tcp::acceptor probe(io);
  const tcp::endpoint where(ip, port);
  probe.open(where.protocol(), error);
  if (!error) probe.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) probe.bind(where, error);
  if (!error) probe.listen(1, error);
  return error ? 0 : probe.local_endpoint(error).port();
}

}  // namespace

std::optional<Addresses> Addresses::Reserve() {
  for (int network = kFirstNetwork; network <= kLastNetwork; ++network) {
    const int reservation = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::string name = absl::StrCat("wsf-127.", network);
    sockaddr_un where = {};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path + 1, name.data(), name.size());  // a leading NUL: abstract
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (bind(reservation, reinterpret_cast<const sockaddr*>(&where), size) == 0) {
      return Addresses(network, reservation);
    }
    close(reservation);
  }
  return std::nullopt;
}

Addresses::Addresses(Addresses&& other) noexcept
    : network_(other.network_), reservation_(std::exchange(other.reservation_, -1)) {}

Addresses::~Addresses() {
  if (reservation_ >= 0) close(reservation_);
}

std::string Addresses::Platform() const { return absl::StrCat("127.", network_, ".0.1"); }

std::string Addresses::Take(TimePoint now) {
  if (next_ < kPlaces) {
    const std::uint32_t place = next_++;
    return absl::StrCat("127.", network_, ".", 1 + place / 254, ".", 1 + place % 254);
  }
  if (resting_.empty() || now < resting_.front().until) return "";
  std::string address = std::move(resting_.front().address);
  resting_.pop_front();
  return address;
}

void Addresses::GiveBack(const std::string& address, TimePoint now) {
  resting_.push_back({address, now + kRest});
}

bool CanBind(const std::string& address, std::uint16_t port) { return TryBind(address, port) != 0; }

std::uint16_t FreePort(const std::string& address) { return TryBind(address, 0); }

}  // namespace wsf::runtime
