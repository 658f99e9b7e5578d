// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "common/http/refusal.h"
#include "common/spec/function.h"
#include "operator/instances/pod.h"

namespace wsf::fleet {

/// Why a starting instance has failed, as rows H07 to H13 say; nothing while it may still start.
/// `timed_out`: its init timeout has passed.
enum class InitTime { kLeft, kOver };
std::optional<http::Refusal> StartFailure(const instances::Pod& pod, const spec::Function& function,
                                          InitTime time);

}  // namespace wsf::fleet
