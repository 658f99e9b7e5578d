// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/journal.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/text.h"
#include "common/record/record.h"

namespace wsf::report {
namespace {

// A UUID in 22 characters of base64url; anything else as it is.
std::string Pack(const std::string& request_id) {
  const std::string hex = absl::StrReplaceAll(request_id, {{"-", ""}});
  const bool is_uuid =
      hex.size() == 32 && hex.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_uuid ? absl::WebSafeBase64Escape(absl::HexStringToBytes(hex)) : request_id;
}

}  // namespace

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

void Journal::WriteOpen() {
  if (claims_ > 1 || open_.empty()) return WriteShared();
  const auto& [request_id, step] = *open_.begin();
  const bool live = step.established != 0;
  std::string text = absl::StrCat("{\"state\":", live ? "\"live\"" : "\"claimed\"",
                                  ",\"requestId\":", JsonText(request_id),
                                  ",\"requestStart\":", JsonText(Rfc3339(step.start)));
  if (live) absl::StrAppend(&text, ",\"established\":", JsonText(Rfc3339(step.established)));
  message_->Write(text + "}");
}

void Journal::WriteShared() {
  const v1::InstanceTotals totals = totals_.Message();
  std::string text = "{\"totals\":{\"byCode\":{";
  const char* comma = "";
  for (const auto& [code, count] : totals.sessions_by_code()) {
    absl::StrAppend(&text, comma, "\"", code, "\":", count);
    comma = ",";
  }
  absl::StrAppend(&text, "},\"established\":", totals.established(),
                  ",\"billedMilliseconds\":", totals.billed_ms(), "}");
  if (live_since_ != 0) absl::StrAppend(&text, ",\"liveSince\":", JsonText(Rfc3339(live_since_)));
  absl::StrAppend(&text, ",\"open\":[");
  comma = "";
  for (const auto& [request_id, step] : open_) {
    absl::StrAppend(&text, comma, JsonText(Pack(request_id)));
    comma = ",";
  }
  message_->Write(text + "]}");
}

}  // namespace wsf::report
