// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "common/kube/client.h"

namespace wsf::kube {

/// What speaks against an API server, from its answer to GET /version; "" = nothing. Instances are
/// native sidecars, which a cluster has from 1.29 on without being asked to.
std::string AgainstVersion(const Json& version);

}  // namespace wsf::kube
