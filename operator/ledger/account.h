// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "operator/instances/pod.h"
#include "operator/ledger/counters.h"
#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// What a gateway saw of a session: the only source when node and termination message are lost.
struct GatewayView {
  std::string request_id;
  std::int64_t established = 0;  ///< Unix time in microseconds; 0 = no 101 was passed on
  std::int64_t ended = 0;
};

/// What is known of one instance's sessions, and what it comes to in the end. Sources, best first:
/// the sidecar's report, its termination message, a gateway's view.
///
/// A record that the runtime may still explain (439 -> 434, 499 -> 500) waits for it, at most 5 s;
/// then it is final and changes no more.
///
/// Pure; not synchronized.
class Account {
 public:
  void OnPod(const instances::Pod& pod) { pod_ = pod; }
  /// kLate: the record had to be made without it and is final.
  enum class Report { kTaken, kLate };
  Report OnReport(const v1::SessionRecord& record, const v1::InstanceTotals& totals, TimePoint now);
  void OnGatewayView(const GatewayView& view) { views_[view.request_id] = view; }

  const instances::Pod& pod() const { return pod_; }
  /// The sidecar has reported that none of its sessions is open any more.
  bool reported_all() const { return reported_all_; }
  /// The instance has ended; for ever, though its pod may stay a while.
  bool Ended(TimePoint now) const;

  /// The records that have become final since the last call.
  std::vector<v1::SessionRecord> TakeFinal(TimePoint now);
  /// What the ended instance's sessions come to; nothing before every record is final.
  std::optional<Counters> Verdict(TimePoint now) const;
  /// When a record that waits becomes final by itself, or the instance counts as ended.
  std::optional<TimePoint> NextDeadline() const;
  /// No session of it is known.
  bool empty() const { return sessions_.empty(); }

  /// When the pod was first seen to be deleted: it counts as ended some time after its grace.
  void SetDeleting(TimePoint now) {
    if (pod_.deleting && !deleting_since_) deleting_since_ = now;
  }

 private:
  struct Session {
    v1::SessionRecord record;
    TimePoint since;
    bool reported = false;  // by its sidecar
    bool final = false;
  };

  void ReadRemains(TimePoint now);
  bool MayChange(const Session& session, TimePoint now) const;
  void Refine(v1::SessionRecord* record) const;

  instances::Pod pod_;
  std::optional<TimePoint> deleting_since_;
  bool reported_all_ = false;
  std::optional<TimePoint> ended_since_;
  bool remains_read_ = false;
  std::map<std::string, Session> sessions_;   // by request id
  std::map<std::string, GatewayView> views_;  // by request id
  std::optional<v1::InstanceTotals> totals_;  // the latest known of a shared instance
};

}  // namespace wsf::ledger
