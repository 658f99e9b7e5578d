// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/kube/client.h"
#include "common/spec/function.h"
#include "operator/kube/informers.h"

namespace wsf::control {

/// The PodDisruptionBudget of a function whose instances are not to be evicted (K25): one for each
/// with `eviction: Never`, owned by it, so that it goes with it. It allows no eviction at all.
///
/// Level-triggered: what is wanted is compared with what an informer shows, and what has failed is
/// tried again. Threading: confined to the operator's thread.
class Budgets {
 public:
  Budgets(boost::asio::io_context& io, kube::Client* client,
          const std::vector<std::string>& namespaces);

  /// Looks at what there is, from now on.
  void Start() { informers_.List(); }
  void OnFunction(const spec::Function& function);
  void OnFunctionGone(const std::string& key);

 private:
  struct Wish {
    std::string uid;  // the function's
    bool wants = false;
  };
  struct Found {
    std::string uid;
    std::string owner;  // the function's uid
  };

  void OnBudget(const kube::Json& object);
  void OnBudgetGone(const std::string& uid);
  /// Makes or deletes the budget of one function, where that is to be done.
  void Look(const std::string& key);
  void Create(const std::string& key);
  void Delete(const std::string& key);
  void OnDone(const std::string& key, const kube::Response& response);

  boost::asio::io_context& io_;
  kube::Client* const client_;
  kube::Informers informers_;
  bool listed_ = false;
  std::map<std::string, Wish> functions_;  // those that are known, by key
  std::map<std::string, Found> found_;     // by function key
  std::set<std::string> busy_;             // keys with a call under way, or that wait after one
};

}  // namespace wsf::control
