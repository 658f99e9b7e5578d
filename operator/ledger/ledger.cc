// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/ledger.h"

#include <algorithm>
#include <utility>

namespace wsf::ledger {
namespace {

// A write is idempotent or conditional: sending it again is cheaper than keeping track of it.
constexpr auto kTryAgain = std::chrono::seconds(2);

bool HasFinalizer(const instances::Pod& pod) {
  return std::find(pod.finalizers.begin(), pod.finalizers.end(), instances::kLedgerFinalizer) !=
         pod.finalizers.end();
}

bool IsDue(TimePoint* next, TimePoint now) {
  if (now < *next) return false;
  *next = now + kTryAgain;
  return true;
}

}  // namespace

// ---- What happened ----

void Ledger::OnFunction(const std::string& uid, std::uint64_t version, Book book) {
  const auto [found, is_new] = functions_.try_emplace(uid);
  Function& function = found->second;
  if (!is_new && version <= function.version) return;  // a cache that lags behind our own reading
  const auto& attempts = function.attempts;
  const bool ours =
      function.book == book || std::find(attempts.begin(), attempts.end(), book) != attempts.end();
  function.version = version;
  function.book = std::move(book);
  function.attempts.clear();
  for (const Entry& entry : function.book.uncounted) {
    const auto instance = instances_.find(entry.uid);
    if (instance == instances_.end()) continue;
    instance->second.entered = true;
    busy_[uid].insert(entry.uid);
  }
  if (ours) return;
  // Written by another operator: our pods may be older than what it says of them.
  function.epoch = ++epoch_;
  list_wanted_ = true;
}

void Ledger::OnFunctionGone(const std::string& uid) {
  functions_.erase(uid);
  for (const auto& [pod, instance] : instances_) {
    if (instance.account.pod().function_uid == uid) busy_[uid].insert(pod);
  }
}

void Ledger::OnPod(const instances::Pod& pod, TimePoint now) {
  Instance& instance = instances_[pod.uid];
  // An orphaned pod has lost its owner's name; whose sessions it has carried does not change.
  const std::string owner = instance.account.pod().function_uid;
  instances::Pod seen = pod;
  if (!owner.empty()) seen.function_uid = owner;
  instance.account.OnPod(seen);
  instance.account.SetDeleting(now);
  MarkBusy(seen);
}

void Ledger::OnPodGone(const std::string& uid, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  Instance& instance = found->second;
  if (!instance.entered && FunctionOf(instance) != nullptr) {
    Settle(&instance, now, &pending_);
    if (!instance.account.empty()) pending_.push_back(LogUncounted{uid});
  }
  Acknowledge(&instance, &pending_);
  busy_[instance.account.pod().function_uid].erase(uid);
  instances_.erase(found);
}

void Ledger::OnReport(const std::string& uid, const v1::SessionRecord& record,
                      const v1::InstanceTotals& totals, TimePoint now) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) return;
  Account& account = found->second.account;
  if (account.OnReport(record, totals, now) == Account::Report::kLate) {
    pending_.push_back(LogLate{uid, record});
  }
  MarkBusy(account.pod());
}

void Ledger::OnGatewayView(const std::string& uid, const GatewayView& view) {
  const auto found = instances_.find(uid);
  if (found == instances_.end()) {
    pending_.push_back(AckSession{uid, view.request_id});  // its pod has gone: nothing is to come
    return;
  }
  found->second.account.OnGatewayView(view);
  found->second.unacknowledged.insert(view.request_id);
  MarkBusy(found->second.account.pod());
}

void Ledger::OnWriting(const std::string& function_uid, const Book& book) {
  const auto found = functions_.find(function_uid);
  if (found != functions_.end()) found->second.attempts.push_back(book);
}

// ---- What to do ----

const Ledger::Function* Ledger::FunctionOf(const Instance& instance) const {
  const auto found = functions_.find(instance.account.pod().function_uid);
  return found == functions_.end() ? nullptr : &found->second;
}

const Book* Ledger::BookOf(const std::string& function_uid) const {
  const auto found = functions_.find(function_uid);
  return found == functions_.end() ? nullptr : &found->second.book;
}

void Ledger::Settle(Instance* instance, TimePoint now, std::vector<Action>* actions) {
  for (v1::SessionRecord& record : instance->account.TakeFinal(now)) {
    instance->unacknowledged.insert(record.request_id());
    actions->push_back(LogSession{std::move(record)});
  }
  if (!instance->verdict) instance->verdict = instance->account.Verdict(now);
}

void Ledger::Acknowledge(Instance* instance, std::vector<Action>* actions) {
  for (const std::string& id : std::exchange(instance->unacknowledged, {})) {
    actions->push_back(AckSession{instance->account.pod().uid, id});
  }
}

Step Ledger::StepOf(const std::string& function_uid, const Function& function,
                    TimePoint now) const {
  std::vector<ObservedPod> pods;
  const auto busy = busy_.find(function_uid);
  if (busy == busy_.end()) return NextStep(function.book, pods);
  for (const std::string& uid : busy->second) {
    const Instance& instance = instances_.at(uid);
    const instances::Pod& pod = instance.account.pod();
    pods.push_back(
        {uid, HasFinalizer(pod), instance.account.Ended(now), pod.deleting, instance.verdict});
  }
  return NextStep(function.book, pods);
}

std::vector<Action> Ledger::Plan(TimePoint now) {
  if (listed_epoch_ == 0) return {};
  std::vector<Action> actions = std::exchange(pending_, {});
  if (std::exchange(list_wanted_, false)) actions.push_back(ListPods{});
  for (auto each = busy_.begin(); each != busy_.end();) {
    PlanFunction(each->first, now, &actions);
    each = each->second.empty() ? busy_.erase(each) : std::next(each);
  }
  return actions;
}

void Ledger::PlanFunction(const std::string& function_uid, TimePoint now,
                          std::vector<Action>* actions) {
  const auto found = functions_.find(function_uid);
  const Function* const function = found == functions_.end() ? nullptr : &found->second;
  std::set<std::string>& busy = busy_[function_uid];
  for (const std::string& uid : busy) Settle(&instances_.at(uid), now, actions);

  Step step;
  if (function != nullptr && function->epoch <= listed_epoch_) {
    step = StepOf(function_uid, *function, now);
    for (const Entry& entry : function->book.uncounted) {
      const auto instance = instances_.find(entry.uid);
      if (instance != instances_.end()) Acknowledge(&instance->second, actions);
    }
  }
  for (const std::string& uid : busy) {
    Instance& instance = instances_.at(uid);
    const instances::Pod& pod = instance.account.pod();
    if (function == nullptr && instance.verdict) {
      // Its function has gone: what is logged is all that is kept (K10).
      if (HasFinalizer(pod)) step.remove_finalizer.push_back(uid);
      Acknowledge(&instance, actions);
    }
    const bool over = instance.account.reported_all() || instance.account.Ended(now);
    // Whoever deleted it with its own grace, for which a server may ignore its SIGTERM, did not
    // know that all is said.
    const bool is_slow = pod.deleting && pod.grace_seconds > instances::kEndedGraceSeconds;
    if (over && (!pod.deleting || is_slow) && IsDue(&instance.remove_again, now)) {
      actions->push_back(RemovePod{uid});
    }
  }
  for (const std::string& uid : step.remove_finalizer) {
    if (IsDue(&instances_.at(uid).finalize_again, now)) actions->push_back(RemoveFinalizer{uid});
  }
  for (const std::string& uid : step.put_back_finalizer) {
    if (IsDue(&instances_.at(uid).finalize_again, now)) actions->push_back(PutBackFinalizer{uid});
  }
  std::erase_if(busy, [&](const std::string& uid) {
    const Account& account = instances_.at(uid).account;
    return !account.reported_all() && !account.Ended(now) && !account.NextDeadline() &&
           HasFinalizer(account.pod());
  });
}

std::optional<Book> Ledger::BookToWrite(const std::string& function_uid, TimePoint now) const {
  const auto found = functions_.find(function_uid);
  if (found == functions_.end()) return std::nullopt;
  const Function& function = found->second;
  const bool stale = listed_epoch_ == 0 || function.epoch > listed_epoch_;
  if (stale) return function.book;
  return StepOf(function_uid, function, now).book;
}

std::optional<TimePoint> Ledger::NextDeadline(TimePoint now) const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) {
    if (at > now) next = next ? std::min(*next, at) : at;
  };
  for (const auto& [function, busy] : busy_) {
    for (const std::string& uid : busy) {
      const Instance& instance = instances_.at(uid);
      consider(instance.remove_again);
      consider(instance.finalize_again);
      if (const auto at = instance.account.NextDeadline()) consider(*at);
    }
  }
  return next;
}

}  // namespace wsf::ledger
