// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "operator/instances/pod.h"
#include "operator/ledger/account.h"
#include "operator/ledger/step.h"
#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

// What is to be done; the shell does it.
struct LogSession {  ///< the one `session` line of a session
  v1::SessionRecord record;
};
struct LogLate {  ///< a report that came after the record was made without it: changes nothing
  std::string uid;
  v1::SessionRecord record;
};
struct LogUncounted {  ///< somebody stripped the finalizer before the sessions were entered
  std::string uid;
};
struct AckSession {  ///< to the gateways: the session is persisted, or nobody wants it
  std::string uid;
  std::string request_id;
};
struct RemovePod {
  std::string uid;
};
struct RemoveFinalizer {
  std::string uid;
};
struct PutBackFinalizer {
  std::string uid;
};
struct ListPods {};  ///< consistently and now: a book was read that another operator has written
using Action = std::variant<LogSession, LogLate, LogUncounted, AckSession, RemovePod,
                            RemoveFinalizer, PutBackFinalizer, ListPods>;

/// The accounts of all instances and the books of all functions: told of what happens, it says
/// what to do. A function is named by what its instances name as their owner, NAMESPACE/UID. The
/// counting itself is NextStep(); this adds what it needs to know and when.
///
/// Threading: not synchronized; confined to the operator's thread. No I/O, no clock.
class Ledger {
 public:
  // ---- What happened ----
  /// A function as the API has it; older versions than the last known one are ignored.
  void OnFunction(const std::string& owner, std::uint64_t version, Book book);
  void OnFunctionGone(const std::string& owner);
  void OnPod(const instances::Pod& pod, TimePoint now);
  void OnPodGone(const std::string& uid, TimePoint now);
  /// A consistent list of pods is being asked for; then it has been told whole.
  void OnPodsAsked() {
    asked_epoch_ = epoch_;
    list_wanted_ = false;
  }
  void OnPodsListed() { listed_epoch_ = asked_epoch_; }
  void OnReport(const std::string& uid, const v1::SessionRecord& record,
                const v1::InstanceTotals& totals, TimePoint now);
  /// The sidecar has spoken: its relay runs, whatever the pod's status says yet.
  void OnStarted(const std::string& uid);
  /// What a gateway tells: the sidecar took a session, or did not after all, or it has ended.
  void OnTaken(const std::string& uid, const std::string& request_id, std::int64_t unix_micros);
  void OnNotTaken(const std::string& uid, const std::string& request_id);
  void OnGatewayView(const std::string& uid, const GatewayView& view);

  // ---- What to do ----
  std::vector<Action> Plan(TimePoint now);
  /// The book that is to stand in the function's status now; nothing while it must not be written.
  std::optional<Book> BookToWrite(const std::string& owner, TimePoint now) const;
  /// It is being sent now: whether it arrives may stay unknown.
  void OnWriting(const std::string& owner, const Book& book);
  std::optional<TimePoint> NextDeadline(TimePoint now) const;

  /// Whether its pod's finalizer was asked to be taken off: it may go at any time.
  bool LetsGo(const std::string& uid) const;

  /// Whether its book may be about to change by what its pods or time have brought.
  bool IsBusy(const std::string& owner) const { return busy_.contains(owner); }

  /// The book of the last version read; nullptr for an unknown function.
  const Book* BookOf(const std::string& owner) const;

 private:
  struct Function {
    std::uint64_t version = 0;
    Book book;
    std::vector<Book> attempts;  // sent, outcome not seen yet: the last few
    std::uint64_t epoch = 0;     // pods must have been listed since
  };
  struct Instance {
    Account account;
    std::set<std::string> unacknowledged;  // request ids: gateways keep them until it is counted
    bool entered = false;                  // its entry was seen in a book
    bool let_go = false;                   // its finalizer was asked to be taken off
    TimePoint remove_again;                // a write that was not seen to work is sent again then
    TimePoint finalize_again;
  };

  const Function* FunctionOf(const Instance& instance) const;
  Step StepOf(const std::string& owner, const Function& function, TimePoint now) const;
  void PlanFunction(const std::string& owner, TimePoint now, std::vector<Action>* actions);
  void Settle(Instance* instance, TimePoint now, std::vector<Action>* actions);
  void Acknowledge(Instance* instance, std::vector<Action>* actions);
  static void Enter(Instance* instance);
  Instance* Find(const std::string& uid);
  const Instance* Find(const std::string& uid) const;
  void MarkBusy(const instances::Pod& pod) { busy_[pod.owner()].insert(pod.uid); }
  void Forget(const instances::Pod& pod);

  std::map<std::string, Function> functions_;  // by owner
  std::map<std::string, Instance> instances_;  // by pod uid
  // Pods with something to be done, by owner: the ended ones at least. So a plan costs what
  // has happened, not what lives.
  std::map<std::string, std::set<std::string>> busy_;
  std::vector<Action> pending_;
  std::uint64_t epoch_ = 1;
  std::uint64_t asked_epoch_ = 0;
  std::uint64_t listed_epoch_ = 0;
  bool list_wanted_ = false;
};

}  // namespace wsf::ledger
