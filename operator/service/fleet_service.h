// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "operator/service/leader.h"
#include "wsf/v1/fleet.grpc.pb.h"

namespace wsf::service {

/// The way back to one gateway. Thread-safe; messages sent after the stream has ended are dropped.
class GatewayLink {
 public:
  /// Messages beyond those of the beginning, up to InSync, that may wait for a gateway that reads
  /// none. Then its stream is ended, and a new one begins with all anew.
  static constexpr std::size_t kMaxQueued = 100'000;

  virtual ~GatewayLink() = default;
  virtual void Send(v1::ToGateway message) = 0;
};

/// What gateways say. Called on gRPC's threads: an implementation only posts. For one link
/// OnMessage is called in order, and OnDetach last.
class FleetHandler {
 public:
  virtual ~FleetHandler() = default;
  virtual void OnMessage(std::shared_ptr<GatewayLink> link, v1::FromGateway message) = 0;
  virtual void OnDetach(std::shared_ptr<GatewayLink> link) = 0;
};

/// FleetService: one stream per gateway; a follower points to the leader's `port`.
class FleetService final : public v1::FleetService::CallbackService {
 public:
  FleetService(FleetHandler* handler, const Leader* leader, int port)
      : handler_(handler), leader_(leader), port_(port) {}

  grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway>* Attach(
      grpc::CallbackServerContext* context) override;

 private:
  FleetHandler* const handler_;
  const Leader* const leader_;
  const int port_;
};

}  // namespace wsf::service
