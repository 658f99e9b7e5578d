// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "operator/control/gateways.h"
#include "wsf/v1/fleet.pb.h"

namespace wsf::control {

/// What gateways have said before the operator knows its own pods, in order. A handshake that has
/// come and left meanwhile has said nothing: what is kept is bounded by what the gateways hold
/// themselves, however long the API stays away.
///
/// Threading: confined to the operator's thread.
class EarlyMessages {
 public:
  using Message = std::pair<Gateways::Link, v1::FromGateway>;

  void Add(const Gateways::Link& link, v1::FromGateway message);
  /// `link` has ended: what it said counts no more.
  void Drop(const Gateways::Link& link);
  std::vector<Message> TakeAll();
  std::size_t size() const { return messages_.size(); }

 private:
  using Key = std::pair<Gateways::Link, std::string>;  // and a request id

  void Forget(const Key& key);

  std::list<Message> messages_;
  std::map<Key, std::list<Message>::iterator> waiting_;
};

}  // namespace wsf::control
