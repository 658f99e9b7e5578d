// SPDX-License-Identifier: Apache-2.0
#include "operator/control/budgets.h"

#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/observe/log.h"
#include "operator/instances/pod.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr char kGroup[] = "/apis/policy/v1";
constexpr auto kAgain = std::chrono::seconds(10);

std::string NamespaceOf(const std::string& key) { return key.substr(0, key.find('/')); }
std::string FunctionOf(const std::string& key) { return key.substr(key.find('/') + 1); }
std::string NameOf(const std::string& key) { return absl::StrCat("wsf-", FunctionOf(key)); }

std::string Collection(const std::string& key) {
  return absl::StrCat(kGroup, "/namespaces/", NamespaceOf(key), "/poddisruptionbudgets");
}

Json BudgetOf(const std::string& key, const std::string& function_uid) {
  const Json labels = {{instances::kFunctionLabel, FunctionOf(key)},
                       {"app.kubernetes.io/managed-by", "wsf"}};
  const Json owner = {{"apiVersion", "wsf.dev/v1alpha1"},
                      {"kind", "WebSocketFunction"},
                      {"name", FunctionOf(key)},
                      {"uid", function_uid},
                      {"controller", true}};
  const Json selected = {{instances::kFunctionLabel, FunctionOf(key)},
                         {instances::kEvictionLabel, "Never"}};
  return {{"apiVersion", "policy/v1"},
          {"kind", "PodDisruptionBudget"},
          {"metadata",
           {{"name", NameOf(key)},
            {"namespace", NamespaceOf(key)},
            {"labels", labels},
            {"ownerReferences", {owner}}}},
          // More than there ever are: a percentage would be of our `scale`, which is the free ones.
          {"spec",
           {{"minAvailable", std::numeric_limits<std::int32_t>::max()},
            {"selector", {{"matchLabels", selected}}}}}};
}

}  // namespace

Budgets::Budgets(boost::asio::io_context& io, kube::Client* client,
                 const std::vector<std::string>& namespaces)
    : io_(io),
      client_(client),
      informers_(io, client, kGroup, "poddisruptionbudgets", namespaces, instances::kFunctionLabel,
                 {[this](const Json& object) { OnBudget(object); },
                  [this](const std::string& uid) { OnBudgetGone(uid); },
                  [this] {
                    listed_ = true;
                    for (const auto& [key, wish] : functions_) Look(key);
                  },
                  [](const std::string& name, const std::string& error) {
                    observe::Log(
                        observe::Level::kError, "object not handled",
                        {{"resource", "poddisruptionbudgets"}, {"object", name}, {"error", error}});
                  }}) {}

void Budgets::OnFunction(const spec::Function& function) {
  const bool wants = function.errors.empty() && function.spec.eviction == spec::Eviction::kNever;
  functions_[function.key()] = {function.uid, wants};
  Look(function.key());
}

// Its budget is its own, and goes with it.
void Budgets::OnFunctionGone(const std::string& key) { functions_.erase(key); }

void Budgets::OnBudget(const Json& object) {
  const Json& metadata = json::Members(object, "metadata");
  const std::string function = json::Text(metadata, "labels", instances::kFunctionLabel);
  const std::string key = absl::StrCat(json::Text(metadata, "namespace"), "/", function);
  if (json::Text(metadata, "name") != NameOf(key)) return;  // somebody else's
  Found found = {json::Text(metadata, "uid"), ""};
  for (const Json& owner : json::Items(metadata, "ownerReferences")) {
    if (json::Flag(owner, "controller")) found.owner = json::Text(owner, "uid");
  }
  found_[key] = found;
  Look(key);
}

void Budgets::OnBudgetGone(const std::string& uid) {
  for (auto each = found_.begin(); each != found_.end(); ++each) {
    if (each->second.uid != uid) continue;
    const std::string key = each->first;
    found_.erase(each);
    return Look(key);
  }
}

void Budgets::Look(const std::string& key) {
  if (!listed_ || busy_.contains(key)) return;
  // Of a function that is not known yet, or not any more, it stays: the latter's goes with it.
  const auto function = functions_.find(key);
  if (function == functions_.end()) return;
  const auto found = found_.find(key);
  const bool is_there = found != found_.end();
  if (function->second.wants && !is_there) return Create(key);
  if (!function->second.wants && is_there && found->second.owner == function->second.uid)
    return Delete(key);
}

void Budgets::Create(const std::string& key) {
  busy_.insert(key);
  client_->Create(Collection(key), BudgetOf(key, functions_[key].uid),
                  [this, key](const kube::Response& response) {
                    if (response.ok()) OnBudget(response.body);
                    OnDone(key, response);
                  });
}

void Budgets::Delete(const std::string& key) {
  busy_.insert(key);
  const std::string uid = found_[key].uid;
  client_->Delete(absl::StrCat(Collection(key), "/", NameOf(key)),
                  {{"preconditions", {{"uid", uid}}}},
                  [this, key, uid](const kube::Response& response) {
                    if (response.ok() || response.status == 404) OnBudgetGone(uid);
                    OnDone(key, response);
                  });
}

void Budgets::OnDone(const std::string& key, const kube::Response& response) {
  if (response.ok() || response.status == 404) {
    busy_.erase(key);
    return Look(key);
  }
  observe::Log(observe::Level::kWarning, "disruption budget not written",
               {{"function", key}, {"budget", NameOf(key)}, {"error", response.Message()}});
  const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kAgain);
  timer->async_wait([this, key, timer](const boost::system::error_code& error) {
    busy_.erase(key);
    if (!error) Look(key);
  });
}

}  // namespace wsf::control
