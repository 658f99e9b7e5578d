// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "common/base/time.h"
#include "wsf/v1/record.pb.h"

namespace wsf::report {

/// The cumulative figures of one instance. Billed time is the union of the intervals in which at
/// least one session was established (S3-20).
///
/// Pure; not synchronized.
class Totals {
 public:
  void Begin() { ++open_; }
  void Undo() { --open_; }
  void Established(TimePoint now);
  /// A session has ended; `established` says whether Established was called for it.
  enum class Was { kEstablished, kOnlyClaimed };
  void End(int status_code, Was was, TimePoint now);

  /// Of what has ended; a pause between sessions ends an interval.
  v1::InstanceTotals Closed() const;
  /// The same, with what is live billed until now.
  v1::InstanceTotals At(TimePoint now) const;

 private:
  v1::InstanceTotals Billed(Duration billed) const;

  int open_ = 0;
  int live_ = 0;
  TimePoint live_since_;
  Duration billed_{};
  v1::InstanceTotals message_;
};

}  // namespace wsf::report
