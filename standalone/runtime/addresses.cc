// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/addresses.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1) {
    close(probe);
    return 0;
  }
  socklen_t size = sizeof where;
  auto* generic = reinterpret_cast<sockaddr*>(&where);
  const bool bound = bind(probe, generic, size) == 0 && listen(probe, 1) == 0 &&
                     getsockname(probe, generic, &size) == 0;
  close(probe);
  return bound ? ntohs(where.sin_port) : 0;
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
