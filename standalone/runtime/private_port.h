// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace wsf::runtime {

/// Gives an unmodified server a port of its own: whatever a process under the filter binds on
/// `port`, on any address of either family, is bound on a private loopback address instead. Every
/// other bind() goes on untouched (architecture.md, "What a user of one machine gets").
///
/// The process's bind(2) is handed to us by seccomp's user notification; we perform it on a
/// duplicate of its socket (pidfd_getfd), so it cannot change the address behind the check.
/// Linux >= 5.6; no root, no namespaces.
namespace private_port {

/// In the child, between fork and exec: installs the filter and sends the notification descriptor
/// over `socket`. Async-signal-safe. Returns 0 or an errno.
int InstallFilter(int socket);

/// In the parent: receives that descriptor; -1 when the child failed.
int ReceiveListener(int socket);

/// What is wrong with this machine, in one line that says what to do; nothing when it works.
std::optional<std::string> Probe();

}  // namespace private_port

/// Answers the notifications of one instance until its last process has ended.
///
/// Threading: confined to the io_context's one thread.
class PortKeeper : public std::enable_shared_from_this<PortKeeper> {
 public:
  /// `listener` is owned from here on. Binds on `server_port` go to `address`:`private_port`.
  PortKeeper(boost::asio::io_context& io, int listener, std::string address,
             std::uint16_t server_port, std::uint16_t private_port);

  void Start() { Await(); }
  /// Stops answering; to be called when the instance has ended.
  void Stop();

 private:
  void Await();
  /// Answers one bind(); false when nobody is left under the filter.
  bool AnswerOne();
  /// Performs it: 0 or an errno; nothing when the bind is none of ours.
  std::optional<int> Bind(std::uint32_t thread_id, std::uint64_t notification,
                          const std::uint64_t* arguments);

  boost::asio::posix::stream_descriptor listener_;
  const std::string address_;
  const std::uint16_t server_port_;
  const std::uint16_t private_port_;
  bool bound_ = false;
};

}  // namespace wsf::runtime
