// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace wsf::runtime {

/// The loopback addresses of one `wsf` process: a /16 out of 127.64.0.0/10, reserved against others
/// on this machine by an abstract socket.
///
/// Threading: not synchronized.
class Addresses {
 public:
  /// Nothing when all 64 are taken.
  static std::optional<Addresses> Reserve();
  Addresses(Addresses&& other) noexcept;
  Addresses& operator=(Addresses&&) = delete;
  ~Addresses();

  /// Where operator, admin and API listen.
  std::string Platform() const;

  /// An address for an instance; not one that was given back within the last minute, so that
  /// nobody still dials an address that has become another's. "" when all are in use.
  std::string Take(TimePoint now);
  void GiveBack(const std::string& address, TimePoint now);

 private:
  Addresses(int network, int reservation) : network_(network), reservation_(reservation) {}

  struct Resting {
    std::string address;
    TimePoint until;
  };

  int network_;
  int reservation_;
  std::uint32_t next_ = 0;
  std::deque<Resting> resting_;
};

/// Whether `port` of `address` can be bound: something that listens on 0.0.0.0 takes it everywhere.
bool CanBind(const std::string& address, std::uint16_t port);
/// A port of `address` that nobody uses; 0 when there is none.
std::uint16_t FreePort(const std::string& address);

}  // namespace wsf::runtime
