// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/journal.h"

#include <vector>

#include "common/base/time.h"
#include "common/record/record.h"
#include "common/record/step.h"

namespace wsf::report {
void Journal::Claimed(const std::string& request_id, std::int64_t unix_micros) {
  totals_.Begin();
  ++claims_;
  open_[request_id].start = unix_micros;
  WriteOpen();
}

void Journal::Undone(const std::string& request_id) {
  totals_.Undo();
  --claims_;
  open_.erase(request_id);
  if (claims_ == 0) return message_->Write("");
  WriteOpen();
}

void Journal::Established(const std::string& request_id, TimePoint now, std::int64_t unix_micros) {
  totals_.Established(now);
  if (live_since_ == 0) live_since_ = unix_micros;
  open_[request_id].established = unix_micros;
  WriteOpen();
}

void Journal::Ended(const v1::SessionRecord& record, TimePoint now) {
  const auto was =
      record.established() != 0 ? Totals::Was::kEstablished : Totals::Was::kOnlyClaimed;
  totals_.End(record.status_code(), was, now);
  open_.erase(record.request_id());
  bool live = false;
  for (const auto& [id, step] : open_) live |= step.established != 0;
  if (!live) live_since_ = 0;
  if (claims_ > 1) return WriteShared();
  message_->Write(RecordJson(record));
}

v1::InstanceTotals Journal::TotalsAt(TimePoint now) const {
  v1::InstanceTotals totals = totals_.At(now);
  totals.set_at(UnixMicros());
  for (const auto& [request_id, step] : open_) totals.add_open_ids(request_id);
  return totals;
}

void Journal::WriteOpen() {
  if (claims_ > 1 || open_.empty()) return WriteShared();
  const auto& [request_id, step] = *open_.begin();
  message_->Write(OpenJson(request_id, step.start, step.established));
}

void Journal::WriteShared() {
  std::vector<std::string> open;
  for (const auto& [request_id, step] : open_) open.push_back(request_id);
  message_->Write(SharedJson(totals_.Closed(), live_since_, open));
}

}  // namespace wsf::report
