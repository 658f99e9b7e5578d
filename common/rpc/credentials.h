// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/tls/certificate.h"

namespace wsf::rpc {

/// The name in the operator's serving certificate, whatever address it is dialled by.
inline constexpr char kOperatorName[] = "wsf-operator";

/// The trailer in which an operator that does not lead names the leader, as ip:port (contracts.md,
/// "Two listeners of the operator").
inline constexpr char kLeaderTrailer[] = "wsf-leader";

/// A channel to the operator. Keepalive every 5 s, so that a half-open stream is known in 10 s.
std::shared_ptr<grpc::Channel> DialOperator(const std::string& address,
                                            const std::string& authority, const tls::KeyPair& own);

}  // namespace wsf::rpc
