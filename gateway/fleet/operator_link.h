// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/tls/certificate.h"
#include "wsf/v1/fleet.grpc.pb.h"

namespace wsf::fleet {

/// The Fleet stream to the operator, kept up: a lost one is opened again. While it is down,
/// messages are dropped; OnOpen says everything anew (contracts.md: all messages are idempotent).
/// A replica that does not lead names the leader, which is dialled once; an operator of a lower
/// term than one heard before was deposed, and is left.
class OperatorLink {
 public:
  /// Callbacks run through `post`, in order.
  struct Callbacks {
    std::function<void()> on_open;
    std::function<void(const v1::ToGateway&)> on_message;
    std::function<void()> on_lost;
  };

  /// Makes a channel to an operator at host:port; called for each attempt, since names and
  /// certificates change. Thread-safe.
  using Dial = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;

  OperatorLink(std::string address, Dial dial, std::function<void(std::function<void()>)> post,
               Callbacks callbacks);
  ~OperatorLink();

  void Start();
  /// Thread-safe; never blocks.
  void Send(v1::FromGateway message);

 private:
  // Messages beyond those of the beginning, up to InSync, that may wait for an operator that reads
  // none. Then the stream is ended, and the next one begins with all anew.
  static constexpr std::size_t kMaxQueued = 100'000;

  class Stream;
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace wsf::fleet
