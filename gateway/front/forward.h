// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "common/http/head.h"
#include "gateway/door/trusted.h"
#include "gateway/route/table.h"
#include "wsf/v1/fleet.pb.h"

namespace wsf::front {

/// Writes the final request head for a sidecar (contracts.md "Headers"): hop-by-hop fields and
/// whatever a client may not say in the platform's name are dropped, the platform's own are added,
/// each once; all others pass in their order.
std::string ForwardHead(const http::RequestHead& request, const route::Match& match,
                        const door::Client& client, const std::string& request_id,
                        const v1::Free& instance, std::int64_t now_unix_micros);

}  // namespace wsf::front
