// SPDX-License-Identifier: Apache-2.0
#include "common/base/reason.h"

namespace wsf {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "";
    case Reason::kUpgradeRequired: return "UpgradeRequired";
    case Reason::kFunctionNotFound: return "FunctionNotFound";
    case Reason::kFunctionStatusError: return "FunctionStatusError";
    case Reason::kResourceLimitReached: return "ResourceLimitReached";
    case Reason::kResourceLimit: return "ResourceLimit";
    case Reason::kInsufficientResources: return "InsufficientResources";
    case Reason::kPullImageFailed: return "PullImageFailed";
    case Reason::kPullImageTimeOut: return "PullImageTimeOut";
    case Reason::kContainerInitError: return "ContainerInitError";
    case Reason::kContainerStateExited: return "ContainerStateExited";
    case Reason::kPortBindingFailed: return "PortBindingFailed";
    case Reason::kInitContainerTimeout: return "InitContainerTimeout";
    case Reason::kRequestCanceled: return "RequestCanceled";
    case Reason::kHandshakeRejected: return "HandshakeRejected";
    case Reason::kUserCodeError: return "UserCodeError";
    case Reason::kUserProcessExited: return "UserProcessExited";
    case Reason::kMemoryLimitReached: return "MemoryLimitReached";
    case Reason::kHandshakeTimeout: return "HandshakeTimeout";
    case Reason::kHeaderTooLarge: return "HeaderTooLarge";
    case Reason::kInternalError: return "InternalError";
    case Reason::kOriginNotAllowed: return "OriginNotAllowed";
    case Reason::kTlsFailed: return "TlsFailed";
    case Reason::kBadRequest: return "BadRequest";
    case Reason::kClosed: return "Closed";
    case Reason::kClosedByClient: return "ClosedByClient";
    case Reason::kClosedByServer: return "ClosedByServer";
    case Reason::kClientProtocolError: return "ClientProtocolError";
    case Reason::kServerProtocolError: return "ServerProtocolError";
    case Reason::kClientConnectionLost: return "ClientConnectionLost";
    case Reason::kServerConnectionLost: return "ServerConnectionLost";
    case Reason::kIdleTimeout: return "IdleTimeout";
    case Reason::kTimeLimitReached: return "TimeLimitReached";
    case Reason::kRequestTooLarge: return "RequestTooLarge";
    case Reason::kResponseTooLarge: return "ResponseTooLarge";
    case Reason::kRateLimitExceeded: return "RateLimitExceeded";
    case Reason::kGatewayShutdown: return "GatewayShutdown";
    case Reason::kRevisionRetired: return "RevisionRetired";
  }
  return "";
}

std::string_view PartyName(Party party) {
  switch (party) {
    case Party::kClient: return "client";
    case Party::kServer: return "server";
    case Party::kPlatform: return "platform";
  }
  return "";
}

}  // namespace wsf
