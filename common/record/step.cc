// SPDX-License-Identifier: Apache-2.0
#include "common/record/step.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/text.h"
#include "common/base/time.h"

namespace wsf {
namespace {

// A UUID in 22 characters of base64url; anything else as it is.
std::string Pack(const std::string& request_id) {
  const std::string hex = absl::StrReplaceAll(request_id, {{"-", ""}});
  const bool is_uuid =
      hex.size() == 32 && hex.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_uuid ? absl::WebSafeBase64Escape(absl::HexStringToBytes(hex)) : request_id;
}

}  // namespace

std::string OpenJson(const std::string& request_id, std::int64_t request_start,
                     std::int64_t established) {
  const bool live = established != 0;
  std::string text = absl::StrCat("{\"state\":", live ? "\"live\"" : "\"claimed\"",
                                  ",\"requestId\":", JsonText(request_id),
                                  ",\"requestStart\":", JsonText(Rfc3339(request_start)));
  if (live) absl::StrAppend(&text, ",\"established\":", JsonText(Rfc3339(established)));
  return text + "}";
}

std::string SharedJson(const v1::InstanceTotals& totals, std::int64_t live_since,
                       const std::vector<std::string>& open) {
  std::string text = "{\"totals\":{\"byCode\":{";
  const char* comma = "";
  for (const auto& [code, count] : totals.sessions_by_code()) {
    absl::StrAppend(&text, comma, "\"", code, "\":", count);
    comma = ",";
  }
  absl::StrAppend(&text, "},\"established\":", totals.established(),
                  ",\"billedMilliseconds\":", totals.billed_ms(), "}");
  if (live_since != 0) absl::StrAppend(&text, ",\"liveSince\":", JsonText(Rfc3339(live_since)));
  absl::StrAppend(&text, ",\"open\":[");
  comma = "";
  for (const std::string& request_id : open) {
    absl::StrAppend(&text, comma, JsonText(Pack(request_id)));
    comma = ",";
  }
  return text + "]}";
}

}  // namespace wsf
