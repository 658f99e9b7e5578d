// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/forward.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/time.h"
#include "common/http/handshake.h"

namespace wsf::front {

std::string ForwardHead(const http::RequestHead& request, const route::Match& match,
                        const door::Client& client, const std::string& request_id,
                        const v1::Free& instance, std::int64_t now_unix_micros) {
  http::RequestHead head = request;
  head.target = match.target;
  http::Fields& fields = head.fields;
  http::DropHopByHop(&fields);
  fields.RemoveIf([](const http::Field& field) {
    return http::IsPlatformField(field.name) || http::IsForwardingField(field.name) ||
           http::EqualIgnoringCase(field.name, "Content-Length");  // it was 0
  });
  const v1::Route& route = *match.route;
  const auto timeout = route.settings().execution_timeout_seconds();
  fields.Add("Connection", "Upgrade");
  fields.Add("X-Wsf-Claim", instance.claim_token());
  fields.Add("X-Wsf-Settings", absl::Base64Escape(route.settings().SerializeAsString()));
  fields.Add("X-Wsf-Request-Id", request_id);
  fields.Add("X-Wsf-Function", route.function().name());
  fields.Add("X-Wsf-Namespace", route.function().namespace_());
  fields.Add("X-Wsf-Revision", instance.revision());
  fields.Add("X-Wsf-Memory-Mb", absl::StrCat(route.memory_mb()));
  fields.Add("X-Wsf-Timeout-Seconds", absl::StrCat(timeout));
  fields.Add("X-Wsf-Deadline",
             Rfc3339(now_unix_micros + static_cast<std::int64_t>(timeout) * 1'000'000));
  const std::string_view host = request.fields.Find("Host").value_or("");
  const std::string prefix = client.forwarded_prefix + match.prefix;
  fields.Add("X-Forwarded-For", client.forwarded_for.empty()
                                    ? client.ip
                                    : absl::StrCat(client.forwarded_for, ", ", client.peer_ip));
  fields.Add("X-Forwarded-Proto", client.proto);
  fields.Add("X-Forwarded-Host", client.forwarded_host.empty() ? host : client.forwarded_host);
  if (!prefix.empty()) fields.Add("X-Forwarded-Prefix", prefix);
  return http::Write(head);
}

}  // namespace wsf::front
