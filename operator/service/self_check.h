// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

namespace wsf::service {

/// Asks over `channel` for a method that no service has: whoever refuses it is a gRPC server that
/// serves. `done` is called on one of gRPC's threads, once, within two seconds.
void AskForNothing(std::shared_ptr<grpc::Channel> channel, std::function<void(bool serves)> done);

}  // namespace wsf::service
