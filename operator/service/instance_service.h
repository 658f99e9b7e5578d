// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "operator/service/leader.h"
#include "wsf/v1/instance.grpc.pb.h"

namespace wsf::service {

/// What sidecars say. Called on gRPC's threads: an implementation only posts. `done` may be called
/// from any thread, once.
class InstanceHandler {
 public:
  virtual ~InstanceHandler() = default;
  using ListeningDone = std::function<void(grpc::Status, v1::ListeningResponse)>;
  using EndedDone = std::function<void(grpc::Status)>;
  virtual void Listening(std::string token, v1::ListeningRequest request, ListeningDone done) = 0;
  virtual void Ended(std::string token, v1::EndedRequest request, EndedDone done) = 0;
};

/// InstanceService: takes the bearer token out of the metadata and hands on; a follower points to
/// the leader's `port`.
class InstanceService final : public v1::InstanceService::CallbackService {
 public:
  InstanceService(InstanceHandler* handler, const Leader* leader, int port)
      : handler_(handler), leader_(leader), port_(port) {}

  grpc::ServerUnaryReactor* Listening(grpc::CallbackServerContext* context,
                                      const v1::ListeningRequest* request,
                                      v1::ListeningResponse* response) override;
  grpc::ServerUnaryReactor* Ended(grpc::CallbackServerContext* context,
                                  const v1::EndedRequest* request,
                                  v1::EndedResponse* response) override;

 private:
  InstanceHandler* const handler_;
  const Leader* const leader_;
  const int port_;
};

}  // namespace wsf::service
