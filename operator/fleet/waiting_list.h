// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace wsf::fleet {

/// A held handshake: one unit of demand.
struct Waiter {
  std::string request_id;
  std::string function_key;
  std::string gateway;
  std::int64_t since = 0;  ///< Unix time in microseconds
};

/// Who waits for which function, in the order of arrival. Nothing costs more for what waits
/// elsewhere.
///
/// Pure; not synchronized.
class WaitingList {
 public:
  /// A request id that is known already gets what is said of it now.
  void Add(const Waiter& waiter);
  /// Returns the key of its function; "" when it does not wait.
  std::string Remove(const std::string& request_id);
  /// Return the keys of the functions whose waiters went.
  std::set<std::string> RemoveOfGateway(const std::string& gateway);
  void RemoveOfFunction(const std::string& function_key);

  std::size_t Count(const std::string& function_key) const;
  /// nullptr when nobody waits for it.
  const Waiter* Oldest(const std::string& function_key) const;
  const Waiter* Newest(const std::string& function_key) const;

 private:
  using Queue = std::set<std::pair<std::int64_t, std::string>>;  // since, request id

  const Queue* Find(const std::string& function_key) const;
  const Waiter* Get(const std::string& request_id) const;

  std::map<std::string, Waiter> waiters_;  // by request id
  std::map<std::string, Queue> queues_;    // by function key; none is empty
};

}  // namespace wsf::fleet
