// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/bucket.h"
#include "common/base/reason.h"
#include "common/base/time.h"
#include "common/http/refusal.h"
#include "common/spec/function.h"
#include "operator/fleet/counts.h"
#include "operator/fleet/deadlines.h"
#include "operator/fleet/waiting_list.h"
#include "operator/instances/pod.h"

namespace wsf::fleet {

/// Where an instance is in its life, as far as the operator knows.
enum class Phase {
  kUnknown,  ///< found running by a new operator: counts as live until its sidecar was asked
  kStarting,
  kFree,
  kLive,
  kEnding,
};

/// A session that a gateway has told of.
struct LiveSession {
  std::string client;      ///< address of the peer, as the gateway saw it
  std::int64_t since = 0;  ///< Unix time in microseconds
};

struct Instance {
  instances::Pod pod;
  Phase phase = Phase::kStarting;
  std::string address;  ///< ip:port of its sidecar
  TimePoint free_since;
  TimePoint made;        ///< when the operator first saw it
  TimePoint seen;        ///< since when its server has had time to listen
  TimePoint ask_at;      ///< a start that takes long: its sidecar is asked then, it may be free
  Duration ask_pause{};  ///< until it is asked the next time
  bool served = false;   ///< it has carried a session: its end is no failed start
  bool resting = false;  ///< it could not take a session for which it seemed to have room
  TimePoint rests_until;
  int told_slots = 0;      ///< what the gateways know of it; 0 = not to be used
  TimePoint born;          ///< when its pod was created
  bool closing = false;    ///< its sidecar was asked to close the slot
  bool inherited = false;  ///< found running by a new operator
  bool doubted = false;    ///< kUnknown since a gateway could not take it: most likely not live
  /// Whether the sidecar agrees that its server never listened: asked before H12.
  enum class Asked { kNo, kAsking, kStarting } asked = Asked::kNo;
  TimePoint lost_since;  ///< a gateway lost it in a session, and it has not answered since
  std::map<std::string, LiveSession> sessions;  ///< that a gateway said it has taken, by request id

  // What time has made of it, by the last plan.
  bool proven = false;    ///< free for kProven
  bool aged = false;      ///< older than a warm instance may be
  bool closable = false;  ///< what a new operator found is left alone for kNoClosing

  // What it adds to its group, by the last count.
  std::string group;
  Counts counted;

  bool NeverFree() const { return free_since == TimePoint() && !served; }
};

/// Free for so long, a server counts as one that starts well.
inline constexpr auto kProven = std::chrono::seconds(10);

/// What a new operator found is not closed before the gateways have had time to tell of it.
inline constexpr auto kNoClosing = std::chrono::seconds(15);

/// A sidecar that a gateway has lost and that does not answer for so long is on a lost node
/// (contracts.md).
inline constexpr auto kLostTime = std::chrono::seconds(20);

/// A start that takes longer is asked for, again and again: what was reported may be lost, or be
/// older than what the pod's status says.
inline constexpr auto kFirstAsk = std::chrono::seconds(5);
inline constexpr auto kLongestAskPause = std::chrono::seconds(20);

/// How long a shared instance that refused a session is left alone.
inline constexpr auto kRest = std::chrono::seconds(1);

/// How long a revision whose starts have failed `failures` times in a row is left alone: 1, 2, 4
/// ... 60 s.
Duration BackOff(int failures);

// What is to be done; the shell does it.
struct CreateInstance {
  std::string function_key;
  std::string name;
  std::string revision;
};
struct DeleteInstance {
  std::string uid;
};
struct DropInstance {  ///< its function has gone: it gets its own grace period (P15)
  std::string uid;
};
struct AskState {  ///< of its sidecar, before it is given up
  std::string uid;
};
struct CloseInstance {
  std::string uid;
};
struct EndSessions {  ///< P15, P23
  std::string uid;
  Reason reason;
};
struct TellFree {
  std::string uid;
  std::string home;
  int slots;
};
struct TellWithdraw {
  std::string uid;
};
struct TellRefuse {
  std::string gateway;
  std::string request_id;
  http::Refusal refusal;
  std::string function_key;
};
struct TellFailure {  ///< an Event: why an instance did not start
  std::string function_key;
  http::Refusal refusal;
};
using Action = std::variant<CreateInstance, DeleteInstance, DropInstance, AskState, CloseInstance,
                            EndSessions, TellFree, TellWithdraw, TellRefuse, TellFailure>;

/// The fleet as a pure state machine: told of what happens, it says what to do. Level-based: what
/// Plan() returns depends on what is known now, not on the order in which it was learnt.
///
/// A plan costs what has changed or come due since the last one, not what lives: the figures of
/// each function are kept as its instances change, and only functions with a change are planned.
///
/// `desired = live + waiting + warmInstances`, never above maxInstances (contracts.md); where an
/// instance carries several sessions, what open places of live ones can take is not waiting. An
/// instance being started is let become free; a free one above `desired` is closed after a while,
/// newest first, so that a client that gave up finds it on its next try (A17).
///
/// Threading: not synchronized; confined to the operator's thread. No I/O, no clock.
class Fleet {
 public:
  /// `surplus` is how long a free instance above `desired` is kept; `starts_per_minute` how many
  /// instances of all functions are started at once, and then in a minute (H06); `template_version`
  /// what of their pods the functions do not say (instances::PodTemplate).
  explicit Fleet(Duration surplus, int starts_per_minute = 500, std::string template_version = "")
      : surplus_(surplus),
        start_rate_(Duration(std::chrono::minutes(1)) / starts_per_minute, starts_per_minute),
        template_version_(std::move(template_version)) {}

  // ---- What happened ----
  void OnFunction(spec::Function function, TimePoint now);
  /// Returns the key of the function that has gone, if it was known.
  std::optional<std::string> OnFunctionGone(const std::string& uid);
  void OnPod(const instances::Pod& pod, TimePoint now);
  void OnPodGone(const std::string& uid);
  /// From here on, unknown running pods are ones that we have made. Those found are not closed for
  /// a while: their gateways may still be on their way to us.
  void OnPodsListed(TimePoint now);
  void OnListening(const std::string& uid, const std::string& address, TimePoint now);
  /// The answer to a `state` request; "" when the sidecar did not answer.
  void OnState(const std::string& uid, const std::string& state, const std::string& address,
               TimePoint now);
  void OnWaiting(const Waiter& waiter);
  void OnLeft(const std::string& request_id);
  void OnTaken(const std::string& uid, const std::string& request_id, const LiveSession& session);
  void OnNotTaken(const std::string& uid, const std::string& request_id, TimePoint now);
  /// kPerhaps: its client has left the gateway, and its sidecar may still have to do (throttled).
  enum class Over { kYes, kPerhaps };
  void OnSessionEnded(const std::string& uid, const std::string& request_id, Over over,
                      TimePoint now);
  /// A gateway lost the way to an instance in a session: gone if it does not answer for 20 s.
  void OnInstanceLost(const std::string& uid, TimePoint now);
  /// The sidecar did not take the order to end its sessions: it is given again.
  void OnEndFailed(const std::string& uid);
  /// `closed`: the sidecar agreed to close its slot.
  void OnCloseAnswered(const std::string& uid, bool closed, TimePoint now);
  /// The name is taken already: by what we asked for before, or by an older instance.
  /// Returns whether it is known whose it is.
  bool OnNameTaken(const std::string& function_key, const std::string& name, TimePoint now);
  /// It is that of a pod which is no instance that we can see: the next one is tried (K20).
  void OnNameForeign(const std::string& function_key, const std::string& name);
  /// The API did not answer, or is overloaded: nobody is refused for that.
  void OnCreateUnanswered(const std::string& function_key, const std::string& name, TimePoint now);
  void OnCreateFailed(const std::string& function_key, const std::string& name,
                      const std::string& message, TimePoint now);
  void OnGatewayLost(const std::string& gateway);

  // ---- What to do ----
  std::vector<Action> Plan(TimePoint now);
  /// The next moment at which Plan() may have something new to say by itself: `now` when the last
  /// plan has changed what is known.
  std::optional<TimePoint> NextDeadline(TimePoint now) const;
  /// The functions planned since the last call: all others have the figures that they had.
  std::set<std::string> TakePlanned() { return std::exchange(planned_, {}); }

  // ---- What is known ----
  const std::map<std::string, spec::Function>& functions() const { return functions_; }
  const std::map<std::string, Instance>& instances() const { return instances_; }
  const Instance* Find(const std::string& uid) const;
  Counts Count(const std::string& function_key) const;
  /// The current revision of a function that is known.
  const std::string& Revision(const std::string& function_key) const;
  /// Why the last start failed while its back-off runs; status and handshakes show it.
  std::optional<http::Refusal> LastFailure(const std::string& function_key, TimePoint now) const;
  /// How many sessions may be brought to an instance now.
  int Slots(const Instance& instance) const;
  /// Instances whose sidecars are to be asked for their state.
  std::vector<std::string> Unknown() const { return {unknown_.begin(), unknown_.end()}; }

 private:
  struct Starts {
    // Names asked for and not seen yet (expectations), and when to ask again: an unknown outcome is
    // asked for under the same name, so that nothing is made twice (faults.md 2).
    struct Creation {
      TimePoint asked;
      TimePoint again = TimePoint::max();
    };
    std::map<std::string, Creation> creating;
    // In a row. What was begun before the last one was counted has failed together with it.
    int unanswered = 0;  // creates
    TimePoint unanswered_at;
    int failures = 0;
    TimePoint failed_at;
    std::uint64_t next_ordinal = 1;
    TimePoint back_off_until;
    http::Refusal last_failure;
    std::optional<TimePoint> surplus_since;
    std::string revision;  // the current one, and since when
    TimePoint revision_since;
    bool short_of_starts = false;  // it wants more instances than may be started now (H06)
  };
  struct ByUid {
    bool operator()(const Instance* a, const Instance* b) const { return a->pod.uid < b->pod.uid; }
  };
  /// What the instances of one function come to.
  struct Group {
    Counts counts;                       // all but `waiting`
    std::set<Instance*, ByUid> members;  // whose pods name it, also where it has gone
  };

  // ---- What is kept as things change ----
  /// Calls `change` with the instance, if it is known; what is counted of it follows.
  template <typename F>
  void Change(const std::string& uid, F&& change) {
    const auto found = instances_.find(uid);
    if (found == instances_.end()) return;
    change(found->second);
    Changed(&found->second);
  }
  /// It is counted anew, and there is something to plan.
  void Changed(Instance* instance);
  void AllChanged(const std::string& function_key);
  void Recount(Instance* instance);
  void LeaveGroup(Instance* instance);
  Counts CountsOf(const Instance& instance) const;
  std::optional<TimePoint> DeadlineOf(const Instance& instance) const;
  std::optional<TimePoint> DeadlineOf(const spec::Function& function, TimePoint now) const;
  /// Calls `what` with each instance of the function as it is now.
  template <typename F>
  void ForEach(const spec::Function& function, F&& what) {
    const auto group = groups_.find(function.key());
    if (group == groups_.end()) return;
    for (Instance* instance : group->second.members) {
      if (IsOf(*instance, function)) what(*instance);
    }
  }

  void PlanFunction(const spec::Function& function, TimePoint now, std::vector<Action>* actions);
  void PlanStop(const spec::Function& function, std::vector<Action>* actions);
  void PlanInstances(TimePoint now, std::vector<Action>* actions);
  void CheckStarting(Instance* instance, TimePoint now, std::vector<Action>* actions);
  void AskStarting(Instance* instance, TimePoint now, std::vector<Action>* actions);
  void Fail(const std::string& key, http::Refusal refusal, TimePoint begun, TimePoint now,
            std::vector<Action>* actions);
  /// A start that was begun then has failed.
  static void CountFailure(Starts* starts, TimePoint begun, TimePoint now);
  void RefuseWaiting(const spec::Function& function, TimePoint now, std::vector<Action>* actions);
  /// What was asked for without an answer is asked for again, what is no longer wanted forgotten.
  void AskAgain(const spec::Function& function, TimePoint now, std::vector<Action>* actions);
  void StartInstances(const spec::Function& function, int missing, TimePoint now,
                      std::vector<Action>* actions);
  void RefuseNewest(const spec::Function& function, std::size_t count, const http::Refusal& refusal,
                    std::vector<Action>* actions);
  enum class Stale { kAll, kOne };
  void CloseStale(const spec::Function& function, Stale which, std::vector<Action>* actions);
  void RetireSessions(const spec::Function& function, TimePoint now, std::vector<Action>* actions);
  void Close(Instance* instance, std::vector<Action>* actions);
  /// A free instance that is to be replaced: of an old revision, or too old itself.
  bool IsStale(const Instance& instance, const spec::Function& function) const;
  void CloseSurplus(const std::string& key, int surplus, TimePoint now,
                    std::vector<Action>* actions);
  /// The instance is one of the function as it is now, not of one that had its name before.
  bool IsOf(const Instance& instance, const spec::Function& function) const {
    return instance.pod.function_uid == function.uid &&
           instance.pod.function_key() == function.key();
  }
  const spec::Function* FunctionOf(const Instance& instance) const;
  /// It may be free without our knowledge: there is a sidecar to ask.
  static bool IsAskable(const Instance& instance) {
    const bool may_run = instance.pod.relay.running || instance.inherited;
    return instance.phase == Phase::kStarting && !instance.pod.deleting && may_run &&
           !instance.pod.RelayAddress().empty();
  }
  bool MayClose(const Instance& instance) const { return !instance.closing && instance.closable; }
  /// Its server has ended: while it is started again nobody is sent there.
  void OnServerEnded(Instance* instance, TimePoint now);
  void MakeFree(Instance* instance, TimePoint now);
  bool IsRetired(const Instance& instance, const spec::Function& function) const;
  int TakenSlots(const Instance& instance, int sessions) const;
  std::string NextName(const spec::Function& function);
  /// The gateway of the one who has waited longest; "" where nobody waits.
  std::string HomeFor(const std::string& function_key) const;

  const Duration surplus_;
  Bucket start_rate_;
  const std::string template_version_;
  bool pods_listed_ = false;
  TimePoint started_;
  std::map<std::string, spec::Function> functions_;  // by key
  std::map<std::string, Instance> instances_;        // by pod uid
  std::map<std::string, Group> groups_;              // by function key
  std::map<std::string, Starts> starts_;             // by function key
  WaitingList waiters_;
  std::set<std::string> unknown_;            // uids: their sidecars are to be asked
  std::set<std::string> changed_instances_;  // uids, since the last plan
  std::set<std::string> changed_functions_;  // keys, since the last plan
  std::set<std::string> planned_;            // keys
  Deadlines instance_deadlines_;             // by uid
  Deadlines function_deadlines_;             // by key
};

}  // namespace wsf::fleet
