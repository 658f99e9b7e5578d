// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/http/head.h"
#include "common/http/refusal.h"

namespace wsf::front {

/// Which web pages and names may reach this gateway.
struct Exposure {
  enum class Names { kAny, kLoopbackOnly };
  Names names = Names::kAny;
  std::vector<std::string> allowed_origins;  ///< beside loopback's, with kLoopbackOnly
};

/// U10: with kLoopbackOnly a Host that is not loopback is refused (DNS rebinding) and so is an
/// Origin that is neither absent nor loopback (a web page reaching for a local function).
std::optional<http::Refusal> CheckExposure(const Exposure& exposure, const http::RequestHead& head);

}  // namespace wsf::front
