// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/waiting_list.h"

#include "common/base/impossible.h"

namespace wsf::fleet {

void WaitingList::Add(const Waiter& waiter) {
  Remove(waiter.request_id);
  waiters_[waiter.request_id] = waiter;
  queues_[waiter.function_key].emplace(waiter.since, waiter.request_id);
}

std::string WaitingList::Remove(const std::string& request_id) {
  const auto found = waiters_.find(request_id);
  if (found == waiters_.end()) return "";
  const Waiter& waiter = found->second;
  const auto queue = queues_.find(waiter.function_key);
  queue->second.erase({waiter.since, request_id});
  if (queue->second.empty()) queues_.erase(queue);
  std::string key = waiter.function_key;
  waiters_.erase(found);
  return key;
}

std::set<std::string> WaitingList::RemoveOfGateway(const std::string& gateway) {
  std::set<std::string> keys;
  for (auto each = waiters_.begin(); each != waiters_.end();) {
    const Waiter& waiter = (each++)->second;
    if (waiter.gateway == gateway) keys.insert(Remove(waiter.request_id));
  }
  return keys;
}

void WaitingList::RemoveOfFunction(const std::string& function_key) {
  while (const Waiter* waiter = Oldest(function_key)) Remove(waiter->request_id);
}

const WaitingList::Queue* WaitingList::Find(const std::string& function_key) const {
  const auto found = queues_.find(function_key);
  return found == queues_.end() ? nullptr : &found->second;
}

std::size_t WaitingList::Count(const std::string& function_key) const {
  const Queue* queue = Find(function_key);
  return queue == nullptr ? 0 : queue->size();
}

const Waiter* WaitingList::Oldest(const std::string& function_key) const {
  const Queue* queue = Find(function_key);
  return queue == nullptr ? nullptr : Get(queue->begin()->second);
}

const Waiter* WaitingList::Newest(const std::string& function_key) const {
  const Queue* queue = Find(function_key);
  return queue == nullptr ? nullptr : Get(queue->rbegin()->second);
}

const Waiter* WaitingList::Get(const std::string& request_id) const {
  const auto found = waiters_.find(request_id);
  if (found != waiters_.end()) return &found->second;
  Impossible("a queue names a waiter that is not there");
  return nullptr;
}

}  // namespace wsf::fleet
