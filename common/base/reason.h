// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace wsf {

/// Why a handshake was refused or a session ended: the `reason` column of tables 7.1 to 7.3 of the
/// specification. Its name is written to records, headers and events as it stands here.
enum class Reason {
  kNone,
  // 7.1, before the 101
  kUpgradeRequired,
  kFunctionNotFound,
  kFunctionStatusError,
  kResourceLimitReached,
  kResourceLimit,
  kInsufficientResources,
  kPullImageFailed,
  kPullImageTimeOut,
  kContainerInitError,
  kContainerStateExited,
  kPortBindingFailed,
  kInitContainerTimeout,
  kRequestCanceled,
  kHandshakeRejected,
  kUserCodeError,
  kUserProcessExited,
  kMemoryLimitReached,
  kHandshakeTimeout,
  kHeaderTooLarge,
  kInternalError,
  kOriginNotAllowed,
  kTlsFailed,
  kBadRequest,
  // 7.2, caused by a peer
  kClosed,
  kClosedByClient,
  kClosedByServer,
  kClientProtocolError,
  kServerProtocolError,
  kClientConnectionLost,
  kServerConnectionLost,
  // 7.3, caused by the platform
  kIdleTimeout,
  kTimeLimitReached,
  kRequestTooLarge,
  kResponseTooLarge,
  kRateLimitExceeded,
  kGatewayShutdown,
  kRevisionRetired,
};

/// The CamelCase name, e.g. "ClosedByClient"; "" for kNone.
std::string_view ReasonName(Reason reason);

/// Who caused an end: the `closedBy` column.
enum class Party { kClient, kServer, kPlatform };

/// "client", "server" or "platform".
std::string_view PartyName(Party party);

}  // namespace wsf
