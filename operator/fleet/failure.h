// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "common/http/refusal.h"
#include "common/spec/function.h"
#include "operator/instances/pod.h"

namespace wsf::fleet {

/// Whether a starting instance's init timeout has passed.
enum class InitTime { kLeft, kOver };
/// Why it has failed, as rows H07 to H13 say; nothing while it may still start.
std::optional<http::Refusal> StartFailure(const instances::Pod& pod, const spec::Function& function,
                                          InitTime time);

/// Why no instance could be made; `message` is what the API server says: a quota, a LimitRange, an
/// admission policy, a right that is missing.
http::Refusal CreateFailure(const std::string& message);

}  // namespace wsf::fleet
