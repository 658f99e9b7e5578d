// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/tls/certificate.h"
#include "wsf/v1/fleet.grpc.pb.h"

namespace wsf::fleet {

/// The Fleet stream to the operator, kept up: a lost one is opened again. While it is down,
/// messages are dropped; OnOpen says everything anew (contracts.md: all messages are idempotent).
class OperatorLink {
 public:
  /// Callbacks run through `post`, in order.
  struct Callbacks {
    std::function<void()> on_open;
    std::function<void(const v1::ToGateway&)> on_message;
    std::function<void()> on_lost;
  };

  OperatorLink(std::shared_ptr<grpc::Channel> channel,
               std::function<void(std::function<void()>)> post, Callbacks callbacks);
  ~OperatorLink();

  void Start();
  /// Thread-safe; never blocks.
  void Send(v1::FromGateway message);

 private:
  class Stream;
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace wsf::fleet
