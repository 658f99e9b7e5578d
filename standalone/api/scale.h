// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "standalone/api/error.h"

namespace wsf::api {

/// The scale subresource of a function, as its definition has it (K05): `kubectl scale` sets
/// spec.warmInstances. Pure.
nlohmann::json ScaleOf(const nlohmann::json& function);
/// The merge patch of the function that `scale` asks for; replicas that are left out are 0.
Result<nlohmann::json> PatchOfScale(const nlohmann::json& scale);

}  // namespace wsf::api
