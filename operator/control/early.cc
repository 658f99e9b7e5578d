// SPDX-License-Identifier: Apache-2.0
#include "operator/control/early.h"

#include <iterator>

namespace wsf::control {

void EarlyMessages::Add(const Gateways::Link& link, v1::FromGateway message) {
  if (message.has_left()) return Forget({link, message.left().request_id()});
  if (!message.has_waiting()) {
    messages_.emplace_back(link, std::move(message));
    return;
  }
  const Key key = {link, message.waiting().request_id()};
  Forget(key);  // it waits again
  messages_.emplace_back(link, std::move(message));
  waiting_[key] = std::prev(messages_.end());
}

void EarlyMessages::Forget(const Key& key) {
  const auto waiting = waiting_.find(key);
  if (waiting == waiting_.end()) return;
  messages_.erase(waiting->second);
  waiting_.erase(waiting);
}

void EarlyMessages::Drop(const Gateways::Link& link) {
  std::erase_if(messages_, [&link](const Message& each) { return each.first == link; });
  std::erase_if(waiting_, [&link](const auto& each) { return each.first.first == link; });
}

std::vector<EarlyMessages::Message> EarlyMessages::TakeAll() {
  waiting_.clear();
  const std::list<Message> all = std::exchange(messages_, {});
  return {all.begin(), all.end()};
}

}  // namespace wsf::control
