// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/control.h"

#include "common/base/reason.h"

namespace wsf::slot {

absl::StatusOr<ControlRequest> ReadControl(const http::RequestHead& head) {
  ControlRequest request;
  const std::string_view command = head.fields.Find("X-Wsf-Control").value_or("");
  if (command == "state") return request;
  if (command == "close") {
    request.command = ControlRequest::Command::kClose;
    return request;
  }
  if (command != "end") {
    return absl::InvalidArgumentError("X-Wsf-Control is state, close or end");
  }
  request.command = ControlRequest::Command::kEnd;
  request.request_id = std::string(head.fields.Find("X-Wsf-Request-Id").value_or(""));
  const std::string_view reason = head.fields.Find("X-Wsf-Reason").value_or("");
  if (reason == ReasonName(Reason::kGatewayShutdown)) {
    request.reason = session::EndKind::kGatewayShutdown;
  } else if (reason == ReasonName(Reason::kRevisionRetired)) {
    request.reason = session::EndKind::kRevisionRetired;
  } else if (reason != "FunctionStopped") {
    return absl::InvalidArgumentError(
        "X-Wsf-Reason is GatewayShutdown, FunctionStopped or RevisionRetired");
  }
  return request;
}

bool IsAmbiguous(const http::Fields& fields) {
  for (const char* name :
       {"X-Wsf-Claim", "X-Wsf-Settings", "X-Wsf-Control", "X-Wsf-Request-Id", "X-Wsf-Reason"}) {
    if (fields.Count(name) > 1) return true;
  }
  return fields.Count("X-Wsf-Control") > 0 && fields.Count("Upgrade") > 0;
}

}  // namespace wsf::slot
