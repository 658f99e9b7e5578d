// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/ledger.h"

#include <algorithm>
#include <utility>

namespace wsf::ledger {
namespace {

// A write is idempotent or conditional: sending it again is cheaper than keeping track of it.
constexpr auto kTryAgain = std::chrono::seconds(2);

// Of a function. That an older one stands after all is found out by a list of pods.
constexpr std::size_t kMaxAttempts = 8;

bool IsDue(TimePoint* next, TimePoint now) {
  if (now < *next) return false;
  *next = now + kTryAgain;
  return true;
}

}  // namespace

// ---- What happened ----

void Ledger::OnFunction(const std::string& owner, std::uint64_t version, Book book) {
  const auto [found, is_new] = functions_.try_emplace(owner);
  Function& function = found->second;
  if (!is_new && version <= function.version) return;  // a cache that lags behind our own reading
  const auto& attempts = function.attempts;
  const bool ours =
      function.book == book || std::find(attempts.begin(), attempts.end(), book) != attempts.end();
  function.version = version;
  function.book = std::move(book);
  function.attempts.clear();
  for (const Entry& entry : function.book.uncounted) {
    Instance* const instance = Find(entry.uid);
    // Whoever may write a status may name any pod in it.
    if (instance == nullptr || instance->account.pod().owner() != owner) continue;
    Enter(instance);
    busy_[owner].insert(entry.uid);
  }
  if (ours) return;
  // Written by another operator: our pods may be older than what it says of them.
  function.epoch = ++epoch_;
  list_wanted_ = true;
}

void Ledger::OnFunctionGone(const std::string& owner) {
  functions_.erase(owner);
  for (const auto& [pod, instance] : instances_) {
    if (instance.account.pod().owner() == owner) busy_[owner].insert(pod);
  }
}

void Ledger::OnPod(const instances::Pod& pod, TimePoint now) {
  const auto [found, is_new] = instances_.try_emplace(pod.uid);
  Instance& instance = found->second;
  // An orphaned pod has lost its owner's name; whose sessions it has carried does not change.
  const instances::Pod& before = instance.account.pod();
  instances::Pod seen = pod;
  if (!before.function_uid.empty()) seen.function_uid = before.function_uid;
  if (before.owner() != seen.owner()) Forget(before);
  instance.account.OnPod(seen, now);
  const Book* const book = is_new ? BookOf(seen.owner()) : nullptr;
  if (book != nullptr && std::ranges::any_of(book->uncounted, [&](const Entry& entry) {
        return entry.uid == pod.uid;
      })) {
    Enter(&instance);  // by an operator before us
  }
  MarkBusy(seen);
}

void Ledger::OnPodGone(const std::string& uid, TimePoint now) {
  Instance* const known = Find(uid);
  if (known == nullptr) return;
  Instance& instance = *known;
  if (!instance.entered) {
    instance.account.OnPodGone();
    Settle(&instance, now, &pending_);
    const bool uncounted = FunctionOf(instance) != nullptr && !instance.account.empty();
    if (uncounted) pending_.push_back(LogUncounted{uid});
  }
  Acknowledge(&instance, &pending_);
  Forget(instance.account.pod());
  instances_.erase(uid);
}

void Ledger::OnReport(const std::string& uid, const v1::SessionRecord& record,
                      const v1::InstanceTotals& totals, TimePoint now) {
  Instance* const instance = Find(uid);
  if (instance == nullptr) return;
  Account& account = instance->account;
  if (account.OnReport(record, totals, now) == Account::Report::kLate) {
    pending_.push_back(LogLate{uid, record});
  }
  MarkBusy(account.pod());
}

void Ledger::OnStarted(const std::string& uid) {
  if (Instance* const instance = Find(uid)) instance->account.OnStarted();
}

void Ledger::OnTaken(const std::string& uid, const std::string& request_id,
                     std::int64_t unix_micros) {
  if (Instance* const instance = Find(uid)) instance->account.OnTaken(request_id, unix_micros);
}

void Ledger::OnNotTaken(const std::string& uid, const std::string& request_id) {
  if (Instance* const instance = Find(uid)) instance->account.OnNotTaken(request_id);
}

void Ledger::OnGatewayView(const std::string& uid, const GatewayView& view) {
  Instance* const instance = Find(uid);
  // Nobody waits for it where its pod has gone, or its record is that of a shared instance.
  const bool is_wanted = instance != nullptr && !(instance->account.goes_on() &&
                                                  instance->account.IsFinal(view.request_id));
  if (!is_wanted) {
    pending_.push_back(AckSession{uid, view.request_id});
    return;
  }
  instance->account.OnGatewayView(view);
  instance->unacknowledged.insert(view.request_id);
  MarkBusy(instance->account.pod());
}

void Ledger::OnWriting(const std::string& owner, const Book& book) {
  const auto found = functions_.find(owner);
  if (found == functions_.end()) return;
  auto& attempts = found->second.attempts;
  for (const Entry& entry : book.uncounted) {
    Instance* const instance = Find(entry.uid);
    if (instance != nullptr && instance->account.pod().owner() == owner) instance->account.Freeze();
  }
  if (std::find(attempts.begin(), attempts.end(), book) != attempts.end()) return;
  if (attempts.size() == kMaxAttempts) attempts.erase(attempts.begin());
  attempts.push_back(book);
}

// ---- What to do ----

Ledger::Instance* Ledger::Find(const std::string& uid) {
  const auto found = instances_.find(uid);
  return found == instances_.end() ? nullptr : &found->second;
}

const Ledger::Instance* Ledger::Find(const std::string& uid) const {
  const auto found = instances_.find(uid);
  return found == instances_.end() ? nullptr : &found->second;
}

void Ledger::Forget(const instances::Pod& pod) {
  const auto busy = busy_.find(pod.owner());
  if (busy != busy_.end()) busy->second.erase(pod.uid);
}

const Ledger::Function* Ledger::FunctionOf(const Instance& instance) const {
  const auto found = functions_.find(instance.account.pod().owner());
  return found == functions_.end() ? nullptr : &found->second;
}

bool Ledger::LetsGo(const std::string& uid) const {
  const Instance* const instance = Find(uid);
  return instance == nullptr || instance->let_go;
}

void Ledger::Enter(Instance* instance) {
  instance->entered = true;
  instance->account.Freeze();
}

const Book* Ledger::BookOf(const std::string& owner) const {
  const auto found = functions_.find(owner);
  return found == functions_.end() ? nullptr : &found->second.book;
}

void Ledger::Settle(Instance* instance, TimePoint now, std::vector<Action>* actions) {
  for (v1::SessionRecord& record : instance->account.TakeFinal(now)) {
    const std::string id = record.request_id();
    actions->push_back(LogSession{std::move(record)});
    if (instance->account.goes_on()) {
      // Its instance is counted at its end, from totals that its relay keeps: a gateway that kept
      // all of them until then would have no room for others.
      instance->unacknowledged.erase(id);
      actions->push_back(AckSession{instance->account.pod().uid, id});
    } else {
      instance->unacknowledged.insert(id);
    }
  }
}

void Ledger::Acknowledge(Instance* instance, std::vector<Action>* actions) {
  for (const std::string& id : std::exchange(instance->unacknowledged, {})) {
    actions->push_back(AckSession{instance->account.pod().uid, id});
  }
}

Step Ledger::StepOf(const std::string& owner, const Function& function, TimePoint now) const {
  std::vector<ObservedPod> pods;
  const auto busy = busy_.find(owner);
  if (busy == busy_.end()) return NextStep(function.book, pods);
  for (const std::string& uid : busy->second) {
    const Instance* const instance = Find(uid);
    if (instance == nullptr) continue;
    const instances::Pod& pod = instance->account.pod();
    pods.push_back({uid, pod.is_kept(), instance->account.Ended(now), pod.deleting,
                    instance->account.Verdict(now)});
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

void Ledger::PlanFunction(const std::string& owner, TimePoint now, std::vector<Action>* actions) {
  const auto found = functions_.find(owner);
  const Function* const function = found == functions_.end() ? nullptr : &found->second;
  std::set<std::string>& busy = busy_[owner];
  std::erase_if(busy, [this](const std::string& uid) { return Find(uid) == nullptr; });
  for (const std::string& uid : busy) Settle(Find(uid), now, actions);

  Step step;
  if (function != nullptr && function->epoch <= listed_epoch_) {
    step = StepOf(owner, *function, now);
    for (const Entry& entry : function->book.uncounted) {
      if (Instance* const instance = Find(entry.uid)) Acknowledge(instance, actions);
    }
  }
  for (const std::string& uid : busy) {
    Instance& instance = *Find(uid);
    const instances::Pod& pod = instance.account.pod();
    if (function == nullptr && instance.account.Verdict(now)) {
      // Its function has gone: what is logged is all that is kept (K10).
      if (pod.is_kept()) step.remove_finalizer.push_back(uid);
      Acknowledge(&instance, actions);
    }
    const bool over = instance.account.Ended(now);
    // Whoever deleted it with its own grace, for which a server may ignore its SIGTERM, did not
    // know that all is said.
    const bool is_slow = pod.deleting && pod.grace_seconds > instances::kEndedGraceSeconds;
    if (over && (!pod.deleting || is_slow) && IsDue(&instance.remove_again, now)) {
      actions->push_back(RemovePod{uid});
    }
  }
  for (const std::string& uid : step.remove_finalizer) {
    Instance& instance = *Find(uid);
    instance.let_go = true;
    instance.account.Freeze();
    if (IsDue(&instance.finalize_again, now)) actions->push_back(RemoveFinalizer{uid});
  }
  for (const std::string& uid : step.put_back_finalizer) {
    if (IsDue(&Find(uid)->finalize_again, now)) actions->push_back(PutBackFinalizer{uid});
  }
  std::erase_if(busy, [&](const std::string& uid) {
    const Account& account = Find(uid)->account;
    return !account.Ended(now) && !account.NextDeadline() && account.pod().is_kept();
  });
}

std::optional<Book> Ledger::BookToWrite(const std::string& owner, TimePoint now) const {
  const auto found = functions_.find(owner);
  if (found == functions_.end()) return std::nullopt;
  const Function& function = found->second;
  const bool stale = listed_epoch_ == 0 || function.epoch > listed_epoch_;
  if (stale) return function.book;
  return StepOf(owner, function, now).book;
}

std::optional<TimePoint> Ledger::NextDeadline(TimePoint now) const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) {
    if (at > now) next = next ? std::min(*next, at) : at;
  };
  for (const auto& [function, busy] : busy_) {
    for (const std::string& uid : busy) {
      const Instance* const instance = Find(uid);
      if (instance == nullptr) continue;
      consider(instance->remove_again);
      consider(instance->finalize_again);
      if (const auto at = instance->account.NextDeadline()) consider(*at);
    }
  }
  return next;
}

}  // namespace wsf::ledger
