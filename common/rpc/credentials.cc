// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/credentials.h"

namespace wsf::rpc {
namespace {

constexpr int kKeepaliveMs = 5000;
constexpr int kMaxReconnectMs = 2000;
// gRPC's limit of a connection's handshake as well: a busy node takes its time, and an address that
// nobody answers at is left for another.
constexpr int kMinReconnectMs = 2000;

}  // namespace

std::shared_ptr<grpc::Channel> DialOperator(const std::string& address,
                                            const std::string& authority, const tls::KeyPair& own) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = authority;
  tls.pem_cert_chain = own.certificate;
  tls.pem_private_key = own.key;
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kOperatorName);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMinReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

}  // namespace wsf::rpc
