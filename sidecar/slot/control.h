// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/http/head.h"
#include "sidecar/session/verdict.h"

namespace wsf::slot {

/// What gateway or operator ask of a sidecar on its relay port (contracts.md).
struct ControlRequest {
  enum class Command { kState, kClose, kEnd };
  Command command = Command::kState;
  session::EndKind reason = session::EndKind::kFunctionStopped;  ///< of kEnd
  std::string request_id;  ///< of kEnd: only this session; "" = all
};

/// Reads one that bears X-Wsf-Control. InvalidArgument says what is known.
absl::StatusOr<ControlRequest> ReadControl(const http::RequestHead& head);

/// Whether a head says one of the platform's fields twice, or asks for control and an upgrade at
/// once: whoever reads the other one must not be fooled.
bool IsAmbiguous(const http::Fields& fields);

}  // namespace wsf::slot
