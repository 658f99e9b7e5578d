// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/http/refusal.h"
#include "common/spec/function.h"
#include "operator/fleet/fleet.h"
#include "operator/service/fleet_service.h"

namespace wsf::control {

/// The gateways that are attached, and the messages to them.
///
/// Threading: confined to the operator's thread.
class Gateways {
 public:
  using Link = std::shared_ptr<service::GatewayLink>;

  void Add(const std::string& id, Link link) { links_[id] = std::move(link); }
  /// Returns the id of the gateway whose current link this is, "" for an older one.
  std::string Remove(const Link& link);
  std::string IdOf(const Link& link) const;
  bool Has(const std::string& id) const { return links_.count(id) > 0; }

  /// Whose turn it is to be the home of an instance that nobody waits for; "" without any gateway.
  std::string InTurn();

  void ToAll(const v1::ToGateway& message);
  void ToOne(const std::string& id, const v1::ToGateway& message);

 private:
  std::map<std::string, Link> links_;  // by gateway id
  std::string last_;                   // that had its turn
};

v1::ToGateway SnapshotMessage(std::int64_t term);
v1::ToGateway InSyncMessage();
/// `lost_hosts` are claimed by the function, and another's.
v1::ToGateway RouteMessage(const spec::Function& function, const std::string& revision,
                           const std::map<std::string, std::string>& lost_hosts);
v1::ToGateway RouteGoneMessage(const std::string& function_key);
v1::ToGateway FreeMessage(const fleet::Instance& instance, const std::string& claim_token,
                          const std::string& home, std::uint32_t slots);
v1::ToGateway WithdrawMessage(const std::string& pod_uid);
v1::ToGateway RefuseMessage(const std::string& request_id, const http::Refusal& refusal);
v1::ToGateway AckMessage(const std::string& pod_uid, const std::string& request_id);

}  // namespace wsf::control
