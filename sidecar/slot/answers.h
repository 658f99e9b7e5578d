// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sidecar/slot/slot.h"

namespace wsf::slot {

/// An answer of the sidecar itself to gateway or operator: `name` goes into X-Wsf-Sidecar, by which
/// it is told apart from the server's. A 102 is interim (contracts.md, relay port).
std::string SidecarAnswer(int status, std::string_view name, std::string_view body);

/// The answer to a claim or control request that was not granted: 403 denied, else 503.
std::string RefusedAnswer(Slot::Answer answer);

}  // namespace wsf::slot
