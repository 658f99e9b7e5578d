// SPDX-License-Identifier: Apache-2.0
#include "operator/control/gateways.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/base/reason.h"

namespace wsf::control {
namespace {

void SetName(const std::string& key, v1::FunctionName* name) {
  const std::size_t slash = key.find('/');
  name->set_namespace_(key.substr(0, slash));
  name->set_name(key.substr(slash + 1));
}

void SetRefusal(const http::Refusal& from, v1::Refusal* to) {
  to->set_code(from.code);
  to->set_http_status(from.http_status);
  to->set_reason(from.reason);
  to->set_message(from.message);
  to->set_retry_after_seconds(static_cast<std::uint32_t>(from.retry_after_seconds));
}

// H03, H05; nothing for a function that serves.
std::optional<http::Refusal> WhyNotServed(const spec::Function& function) {
  const std::string status_error(ReasonName(Reason::kFunctionStatusError));
  if (!function.errors.empty()) {
    return http::Refusal{503,
                         438,
                         status_error,
                         "the function's spec is invalid; its status says why",
                         0,
                         absl::StrJoin(function.errors, "; ")};
  }
  if (function.spec.suspend) {
    return http::Refusal{503, 438, status_error, "the function is suspended (spec.suspend)", 0};
  }
  if (function.spec.max_instances == 0u) {
    return http::Refusal{429, 432, std::string(ReasonName(Reason::kResourceLimitReached)),
                         "the function is switched off (maxInstances is 0)", 0};
  }
  return std::nullopt;
}

}  // namespace

std::string Gateways::Remove(const Link& link) {
  std::string id = IdOf(link);
  if (!id.empty()) links_.erase(id);
  return id;
}

std::string Gateways::IdOf(const Link& link) const {
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [&](const auto& each) { return each.second == link; });
  return found == links_.end() ? "" : found->first;
}

std::string Gateways::InTurn() {
  auto next = links_.upper_bound(last_);
  if (next == links_.end()) next = links_.begin();
  last_ = next == links_.end() ? "" : next->first;
  return last_;
}

void Gateways::ToAll(const v1::ToGateway& message) {
  for (const auto& [id, link] : links_) link->Send(message);
}

void Gateways::ToOne(const std::string& id, const v1::ToGateway& message) {
  const auto found = links_.find(id);
  if (found != links_.end()) found->second->Send(message);
}

v1::ToGateway SnapshotMessage(std::int64_t term) {
  v1::ToGateway message;
  message.mutable_snapshot()->set_term(term);
  return message;
}

v1::ToGateway InSyncMessage() {
  v1::ToGateway message;
  message.mutable_in_sync();
  return message;
}

v1::ToGateway RouteMessage(const spec::Function& function, const std::string& revision,
                           const std::map<std::string, std::string>& lost_hosts) {
  v1::ToGateway message;
  v1::Route* route = message.mutable_route();
  SetName(function.key(), route->mutable_function());
  for (const std::string& host : function.spec.hosts) {
    if (!lost_hosts.contains(host)) route->add_hosts(host);
  }
  for (const std::string& each : function.spec.allowed_origins) route->add_allowed_origins(each);
  if (const auto refusal = WhyNotServed(function)) {
    route->set_state(v1::Route::REFUSE);
    SetRefusal(*refusal, route->mutable_refusal());
  }
  *route->mutable_settings() = spec::SettingsOf(function);
  route->set_revision(revision);
  route->set_init_timeout_seconds(function.spec.init_timeout_seconds);
  route->set_memory_mb(spec::MemoryLimitBytes(function.spec) >> 20);
  return message;
}

v1::ToGateway RouteGoneMessage(const std::string& function_key) {
  v1::ToGateway message;
  SetName(function_key, message.mutable_route_gone()->mutable_function());
  return message;
}

v1::ToGateway FreeMessage(const fleet::Instance& instance, const std::string& claim_token,
                          const std::string& home, std::uint32_t slots) {
  v1::ToGateway message;
  v1::Free* free = message.mutable_free();
  free->set_pod_uid(instance.pod.uid);
  free->set_address(instance.address);
  free->set_claim_token(claim_token);
  SetName(instance.pod.function_key(), free->mutable_function());
  free->set_revision(instance.pod.revision);
  free->set_slots(slots);
  free->set_home(home);
  free->set_since(instance.pod.created);
  free->set_live(instance.phase == fleet::Phase::kLive);
  return message;
}

v1::ToGateway WithdrawMessage(const std::string& pod_uid) {
  v1::ToGateway message;
  message.mutable_withdraw()->set_pod_uid(pod_uid);
  return message;
}

v1::ToGateway RefuseMessage(const std::string& request_id, const http::Refusal& refusal) {
  v1::ToGateway message;
  message.mutable_refuse()->set_request_id(request_id);
  SetRefusal(refusal, message.mutable_refuse()->mutable_refusal());
  return message;
}

v1::ToGateway AckMessage(const std::string& pod_uid, const std::string& request_id) {
  v1::ToGateway message;
  message.mutable_ack()->set_pod_uid(pod_uid);
  message.mutable_ack()->set_request_id(request_id);
  return message;
}

}  // namespace wsf::control
