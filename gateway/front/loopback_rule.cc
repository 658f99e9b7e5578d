// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/loopback_rule.h"

#include <algorithm>

#include "common/base/reason.h"
#include "common/http/authority.h"

namespace wsf::front {
namespace {

std::string_view AuthorityOfOrigin(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? "" : origin.substr(scheme + 3);
}

}  // namespace

std::optional<http::Refusal> CheckExposure(const Exposure& exposure,
                                           const http::RequestHead& head) {
  if (exposure.names == Exposure::Names::kAny) return std::nullopt;
  if (!http::IsLoopbackName(head.fields.Find("Host").value_or(""))) {
    return http::BadRequest(421, "this address serves localhost only; see --host");
  }
  const auto origin = head.fields.Find("Origin");
  if (!origin || http::IsLoopbackName(AuthorityOfOrigin(*origin))) return std::nullopt;
  const auto& allowed = exposure.allowed_origins;
  if (std::find(allowed.begin(), allowed.end(), *origin) != allowed.end()) return std::nullopt;
  http::Refusal refusal =
      http::BadRequest(403, "pages of this origin may not connect; allow it with --allow-origin");
  refusal.reason = std::string(ReasonName(Reason::kOriginNotAllowed));
  return refusal;
}

}  // namespace wsf::front
