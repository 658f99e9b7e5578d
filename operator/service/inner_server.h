// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

namespace wsf::service {

/// A gRPC server that listens nowhere: it serves the connected descriptors that a Door hands it.
class InnerServer {
 public:
  /// `service` outlives it; a greater message than `max_message_bytes` is refused.
  InnerServer(grpc::Service* service, int max_message_bytes);

  /// Takes `descriptor` over. Thread-safe.
  void Serve(int descriptor);

 private:
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace wsf::service
