// SPDX-License-Identifier: Apache-2.0
#include "operator/service/inner_server.h"

#include <grpcpp/resource_quota.h>

namespace wsf::service {
namespace {

using Experimental = grpc::ServerBuilder::experimental_type;

constexpr int kMetadataBytes = 8 * 1024;
constexpr int kKeepaliveMs = 5000;
// A relay opens one, a gateway one.
constexpr int kStreams = 8;
// What all connections of a server may hold together: a peer with a certificate is no friend yet.
constexpr std::size_t kMemoryBytes = 64 << 20;

}  // namespace

InnerServer::InnerServer(grpc::Service* service, int max_message_bytes) {
  grpc::ServerBuilder builder;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      Experimental::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  builder.SetResourceQuota(grpc::ResourceQuota("wsf").Resize(kMemoryBytes));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreams);
  // A field that is kept could be named thousands of times in one request.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_DECODER, 0);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  builder.RegisterService(service);
  server_ = builder.BuildAndStart();
}

void InnerServer::Serve(int descriptor) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = -1;
  parameters.fd = descriptor;
  acceptor_->HandleNewConnection(&parameters);
}

}  // namespace wsf::service
