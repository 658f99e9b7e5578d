// SPDX-License-Identifier: Apache-2.0
#include "operator/control/operator.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/json/read.h"
#include "common/observe/log.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr char kFunctionsPath[] = "/apis/wsf.dev/v1alpha1";
// Functions whose ends are remembered: more than calls of ours are ever under way.
constexpr std::size_t kMaxGone = 1000;
// What happens at one moment changes a status once.
constexpr auto kStatusPause = std::chrono::milliseconds(50);

TimePoint Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Operator::Operator(boost::asio::io_context& io, kube::Client* client, Measures* measures,
                   OperatorOptions options)
    : io_(io),
      client_(client),
      measures_(measures),
      options_(std::move(options)),
      fleet_(options_.surplus, options_.scale_out_per_minute, options_.pods.Version()),
      reviewer_(client, [this](const std::string& uid) { return fleet_.Find(uid) != nullptr; }),
      statuses_(
          client, options_.public_url, &ledger_, &hosts_,
          [this](const Json& object) { OnFunctionObject(object); }, [this] { Schedule(); }),
      events_(io, client),
      lost_labels_(io, client),
      budgets_(io, client, options_.namespaces),
      functions_(io, client, kFunctionsPath, "websocketfunctions", options_.namespaces, "",
                 {[this](const Json& object) { OnFunctionObject(object); },
                  [this](const std::string& uid) { OnFunctionGone(uid); },
                  [this] {
                    // The books first, then the pods: an entry whose pod is not listed after it
                    // was read has lost its finalizer (ledger/step.h).
                    if (std::exchange(pods_started_, true)) return;
                    ledger_.OnPodsAsked();
                    pods_.List();
                  },
                  [this](const std::string& name, const std::string& error) {
                    OnFault("websocketfunctions", name, error);
                  }}),
      pods_(io, client, "/api/v1", "pods", options_.namespaces, instances::kFunctionLabel,
            {[this](const Json& object) { OnPodObject(object); },
             [this](const std::string& uid) { OnPodUnseen(uid); }, [this] { OnPodsListed(); },
             [this](const std::string& name, const std::string& error) {
               OnFault("pods", name, error);
             }}),
      plan_timer_(io),
      status_timer_(io) {}

void Operator::Start(std::int64_t term) {
  term_ = term;
  functions_.List();
  budgets_.Start();
}

// ---- From the API ----

void Operator::OnFunctionObject(const Json& object) {
  spec::Function function = spec::ParseFunction(object);
  spec::CheckGrants(options_.grants, &function);
  if (options_.drains) function.spec.suspend = true;
  const std::string version = json::Text(object, "metadata", "resourceVersion");
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(version, &number)) return;
  // The watch may lag behind what a write of our own has brought already.
  std::uint64_t& last = versions_[function.uid];
  if (number <= last) return;
  last = number;
  const Json& status = json::Members(object, "status");
  ledger_.OnFunction(function.owner(), number, ledger::Book::FromStatus(status));
  statuses_.OnFunction(function.key(), version, status);
  TellInvalid(function);
  std::set<std::string> changed = hosts_.OnFunction(function);
  changed.insert(function.key());
  budgets_.OnFunction(function);
  fleet_.OnFunction(std::move(function), Now());
  TellRoutes(changed);
  Schedule();
}

v1::ToGateway Operator::RouteOf(const spec::Function& function) const {
  return RouteMessage(function, fleet_.Revision(function.key()), hosts_.LostBy(function.key()));
}

void Operator::TellRoutes(const std::set<std::string>& function_keys) {
  statuses_.Changed(function_keys);
  for (const std::string& key : function_keys) {
    const auto function = fleet_.functions().find(key);
    if (function != fleet_.functions().end()) gateways_.ToAll(RouteOf(function->second));
  }
}

void Operator::TellInvalid(const spec::Function& function) {
  if (function.errors.empty() || invalid_[function.uid] == function.generation) return;
  invalid_[function.uid] = function.generation;
  events_.Happened(function, "InvalidSpec", "", absl::StrJoin(function.errors, "; "));
}

void Operator::OnFunctionGone(const std::string& uid) {
  // An answer to one of our own calls may still come, with the object as it was.
  versions_[uid] = std::numeric_limits<std::uint64_t>::max();
  gone_.push_back(uid);
  if (gone_.size() > kMaxGone) {
    versions_.erase(gone_.front());
    gone_.pop_front();
  }
  invalid_.erase(uid);
  events_.Forget(uid);
  if (const auto key = fleet_.OnFunctionGone(uid)) {
    ledger_.OnFunctionGone(absl::StrCat(key->substr(0, key->find('/')), "/", uid));
    statuses_.Forget(*key);
    budgets_.OnFunctionGone(*key);
    history_.Forget(*key);
    gateways_.ToAll(RouteGoneMessage(*key));
    TellRoutes(hosts_.OnFunctionGone(*key));
  }
  Schedule();
}

void Operator::OnPodObject(const Json& object) {
  instances::Pod pod = instances::ParsePod(object);
  if (gone_pods_.Find(pod.uid) != nullptr) return;  // an answer that was overtaken
  pod.age = std::chrono::microseconds(std::max<std::int64_t>(0, UnixMicros() - pod.created));
  fleet_.OnPod(pod, Now());
  ledger_.OnPod(pod, Now());
  Schedule();
}

void Operator::OnPodUnseen(const std::string& uid) {
  const fleet::Instance* instance = fleet_.Find(uid);
  if (instance == nullptr || ledger_.LetsGo(uid)) return OnPodGone(uid);
  if (!instance->pod.is_kept()) return OnPodGone(uid);
  lost_labels_.Look(instance->pod, [this, uid] { OnPodGone(uid); });
}

void Operator::OnPodGone(const std::string& uid) {
  if (gone_pods_.Find(uid) == nullptr) gone_pods_.Add(uid, true);
  ledger_.OnPodGone(uid, Now());
  fleet_.OnPodGone(uid);
  deleting_.erase(uid);
  silent_.erase(uid);
  homes_.erase(uid);
  gateways_.ToAll(WithdrawMessage(uid));
  Schedule();
}

void Operator::OnPodsListed() {
  ledger_.OnPodsListed();
  fleet_.OnPodsListed(Now());
  if (std::exchange(pods_listed_, true)) return Schedule();
  const std::vector<std::string> unknown = fleet_.Unknown();
  const auto left = std::make_shared<std::size_t>(unknown.size());
  for (const std::string& uid : unknown) {
    AskState(uid, [this, left] {
      if (--*left == 0) Open();
    });
  }
  if (unknown.empty()) Open();
}

void Operator::OnFault(const char* resource, const std::string& name, const std::string& error) {
  observe::Log(observe::Level::kError, "object not handled",
               {{"resource", resource}, {"object", name}, {"error", error}});
  measures_->OnFault(resource);
}

// ---- Draining ----

bool Operator::IsDrained() const {
  if (!open_ || !fleet_.instances().empty()) return false;
  return std::ranges::all_of(fleet_.functions(), [this](const auto& each) {
    const ledger::Book* book = ledger_.BookOf(each.second.owner());
    return book == nullptr || book->uncounted.empty();
  });
}

void Operator::StripFinalizers() {
  for (const auto& [uid, instance] : fleet_.instances()) {
    Do(ledger::RemoveFinalizer{uid});
    DeletePod(instance.pod, Grace::kEnded);
  }
}

// ---- Planning ----

void Operator::Schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(io_, [this] {
    scheduled_ = false;
    Reconcile();
  });
}

void Operator::Reconcile() {
  if (!open_) return;
  const TimePoint now = Now();
  // Why an instance failed is said before it is deleted.
  for (const fleet::Action& action : fleet_.Plan(now)) {
    std::visit([this](const auto& each) { Do(each); }, action);
  }
  for (const ledger::Action& action : ledger_.Plan(now)) {
    std::visit([this](const auto& each) { Do(each); }, action);
  }
  std::optional<TimePoint> next = fleet_.NextDeadline(now);
  const std::optional<TimePoint> ledger_next = ledger_.NextDeadline(now);
  if (ledger_next) next = next ? std::min(*next, *ledger_next) : *ledger_next;
  if (next) {
    plan_timer_.expires_at(*next);
    plan_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) Schedule();
    });
  }
  if (!std::exchange(status_scheduled_, true)) {
    status_timer_.expires_after(kStatusPause);
    status_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) WriteStatuses();
    });
  }
  measures_->OnReconciled(Now() - now);
}

void Operator::WriteStatuses() {
  status_scheduled_ = false;
  statuses_.Changed(fleet_.TakePlanned());
  const auto next = statuses_.Write(fleet_, Now());
  if (!next) return;
  status_scheduled_ = true;
  status_timer_.expires_at(*next);
  status_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) WriteStatuses();
  });
}

}  // namespace wsf::control
