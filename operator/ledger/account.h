// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/recent.h"
#include "common/base/time.h"
#include "operator/instances/pod.h"
#include "operator/ledger/counters.h"
#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// What a gateway told of a session. Times are Unix microseconds.
struct GatewayView {
  std::string request_id;
  std::int64_t established = 0;  ///< 0 = no 101 was passed on, or it has not told of an end
  std::int64_t ended = 0;        ///< 0 = still open, as far as it has told
  std::int64_t taken = 0;        ///< when the sidecar took it; 0 = not told
};

/// What is known of one instance's sessions, and what it comes to in the end. Sources, best first:
///
/// - the sidecar's report, at any time before the instance is counted;
/// - its termination message, once its pod says that the relay has ended and not all was reported;
/// - what gateways told, where neither exists: the pod object or the relay's end is lost, or the
/// pod
///   has been deleting for two minutes beyond its grace (a kubelet's word may come that late).
///
/// A record that the runtime may still explain (439 -> 434, 499 -> 500) waits for it, at most 5 s;
/// then it is final and changes no more. Of a final record only its figures are kept: a shared
/// instance may carry any number of sessions.
///
/// Pure; not synchronized.
class Account {
 public:
  void OnPod(const instances::Pod& pod, TimePoint now);
  /// The pod object has gone: nothing more will come of it.
  void OnPodGone() { gone_ = true; }
  /// Its sidecar has spoken: the relay has started, whatever its pod's status says yet.
  void OnStarted() { started_ = true; }
  /// kLate: it is counted without this report, or its record says otherwise.
  enum class Report { kTaken, kLate };
  Report OnReport(const v1::SessionRecord& record, const v1::InstanceTotals& totals, TimePoint now);
  /// A gateway: the sidecar took a session; it did not, after all; the session has ended.
  void OnTaken(const std::string& request_id, std::int64_t unix_micros);
  void OnNotTaken(const std::string& request_id);
  void OnGatewayView(const GatewayView& view);
  /// What it comes to is being written, or stands in its function's book: it changes no more.
  void Freeze() { frozen_ = remains_read_ = true; }

  const instances::Pod& pod() const { return pod_; }
  /// A shared instance with open sessions: those that have ended are counted with it, later.
  bool goes_on() const { return totals_ && !reported_all_ && !remains_read_; }
  /// No session of it is open or will ever be, though its pod may stay a while: its sidecar has
  /// reported the end of the last one (I2), or its relay has ended.
  bool Ended(TimePoint now) const { return reported_all_ || RelayEnded(now); }
  /// The record of that session is final.
  bool IsFinal(const std::string& request_id) const { return final_.Find(request_id) != nullptr; }

  /// The records that have become final since the last call.
  std::vector<v1::SessionRecord> TakeFinal(TimePoint now);
  /// What the ended instance's sessions come to; nothing before every record is final.
  std::optional<Counters> Verdict(TimePoint now) const;
  /// When a record that waits becomes final by itself, or the instance counts as ended.
  std::optional<TimePoint> NextDeadline() const;
  /// No session of it is known.
  bool empty() const { return unsettled_.empty() && settled_.total == 0; }

 private:
  /// Where a record is from, and so whether the instance's totals have it.
  enum class Source { kReport, kTotals, kMessage, kGateway };
  struct Session {
    v1::SessionRecord record;
    TimePoint since;
    Source source;
  };
  using Sessions = std::map<std::string, Session>;  // by request id

  bool RelayEnded(TimePoint now) const;
  TimePoint LastWord() const;
  void ReadRemains(TimePoint now);
  void ReadViews(std::int64_t end, TimePoint now);
  bool IsInTotals(const GatewayView& view) const;
  void Add(v1::SessionRecord record, Source source, TimePoint now);
  void Settle(Session* session);
  bool MayChange(const Session& session, TimePoint now) const;
  void Refine(v1::SessionRecord* record) const;

  instances::Pod pod_;
  std::optional<TimePoint> deleting_since_;
  bool gone_ = false;
  bool started_ = false;
  bool frozen_ = false;
  bool reported_all_ = false;
  std::optional<TimePoint> ended_since_;
  bool remains_read_ = false;
  bool read_totals_ = false;                  // in the message
  Sessions unsettled_;                        // records that may still change
  std::map<std::string, GatewayView> views_;  // of sessions without a record, by request id
  std::optional<v1::InstanceTotals> totals_;  // of the last report, or of the message
  Recent<int> final_{4096};                   // status codes; a report may come again, for 20 s

  // Of the records that are final.
  Counters settled_;        // all
  Counters beyond_totals_;  // those that the totals do not have
  std::map<int, std::int64_t>
      refined_;                    // what the runtime's word has changed in the totals, by code
  std::int64_t billed_until_ = 0;  // Unix microseconds: so far goes what the totals bill
};

}  // namespace wsf::ledger
