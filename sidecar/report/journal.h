// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/time.h"
#include "sidecar/report/termination_message.h"
#include "sidecar/report/totals.h"
#include "wsf/v1/record.pb.h"

namespace wsf::report {

/// Keeps the termination message true at every step of every session, so that whoever is killed,
/// the operator finds out what there was (contracts.md, "Record and ledger"; the forms of its text
/// are in common/record/step.h).
///
/// Not synchronized.
class Journal {
 public:
  /// `message` outlives it.
  explicit Journal(TerminationMessage* message) : message_(message) {}

  void Claimed(const std::string& request_id, std::int64_t unix_micros);
  /// Nothing was forwarded: as if it had never been (ECONNREFUSED).
  void Undone(const std::string& request_id);
  void Established(const std::string& request_id, TimePoint now, std::int64_t unix_micros);
  void Ended(const v1::SessionRecord& record, TimePoint now);

  v1::InstanceTotals TotalsAt(TimePoint now) const;

 private:
  struct Step {
    std::int64_t start = 0;
    std::int64_t established = 0;
  };
  void WriteOpen();
  void WriteShared();

  TerminationMessage* const message_;
  Totals totals_;
  std::map<std::string, Step> open_;  // by request id
  int claims_ = 0;                    // that were not undone
  std::int64_t live_since_ = 0;       // Unix microseconds; 0 = no session is live
};

}  // namespace wsf::report
