// SPDX-License-Identifier: Apache-2.0
#include "common/record/reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "common/base/ids.h"
#include "common/base/reason.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/json/read.h"

namespace wsf {
namespace {

using Json = nlohmann::json;

void ReadTraffic(const Json& json, v1::Traffic* traffic) {
  traffic->set_messages(Number(json, "messages"));
  traffic->set_bytes(Number(json, "bytes"));
  traffic->set_control_frames(Number(json, "controlFrames"));
}

// A UUID in its 36 characters, from the 22 of base64url that a shared instance writes.
std::string UnpackRequestId(const std::string& packed) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(packed, &bytes) || bytes.size() != 16) return packed;
  return FormatUuid(bytes);
}

Remains ReadShared(const Json& message, std::int64_t ended) {
  Remains remains;
  const Json& told = json::Members(message, "totals");
  v1::InstanceTotals totals;
  for (const auto& [code, count] : json::Members(told, "byCode").items()) {
    int number = 0;
    if (!absl::SimpleAtoi(code, &number)) continue;
    (*totals.mutable_sessions_by_code())[number] =
        Number(json::Members(told, "byCode"), code.c_str());
  }
  totals.set_established(Number(told, "established"));
  std::int64_t billed = Number(told, "billedMilliseconds");
  const std::int64_t live_since = ParseRfc3339(json::Text(message, "liveSince"));
  if (live_since != 0) billed += std::max<std::int64_t>(0, ended - live_since) / 1000;
  totals.set_billed_ms(billed);
  for (const std::string& each : json::Texts(message, "open")) {
    remains.records.push_back(SyntheticRecord(UnpackRequestId(each), 0, 0, ended));
    ++(*totals.mutable_sessions_by_code())[remains.records.back().status_code()];
  }
  remains.totals = std::move(totals);
  return remains;
}

}  // namespace

std::int64_t Number(const Json& object, const char* name) {
  // Sums of so large ones do not overflow, and JSON tells them exactly.
  constexpr std::int64_t kGreatest = std::int64_t{1} << 53;
  const std::int64_t number = json::Number(object, name);
  return number < 0 || number > kGreatest ? 0 : number;
}

v1::SessionRecord ReadRecord(const Json& json) {
  v1::SessionRecord record;
  record.set_request_id(json::Text(json, "requestId"));
  record.set_request_start(ParseRfc3339(json::Text(json, "requestStart")));
  record.set_established(ParseRfc3339(json::Text(json, "established")));
  record.set_ended(ParseRfc3339(json::Text(json, "ended")));
  record.set_init_ms(Number(json, "initMs"));
  record.set_duration_ms(Number(json, "durationMs"));
  record.set_billed_ms(Number(json, "billedMs"));
  record.set_status_code(static_cast<int>(Number(json, "statusCode")));
  record.set_status(json::Text(json, "status"));
  record.set_reason(json::Text(json, "reason"));
  record.set_message(json::Text(json, "message"));
  record.set_closed_by(json::Text(json, "closedBy"));
  record.set_close_code(static_cast<int>(Number(json, "closeCode")));
  record.set_close_reason(json::Text(json, "closeReason"));
  record.set_close_handshake(json::Text(json, "closeHandshake"));
  record.set_http_status(static_cast<int>(Number(json, "httpStatus")));
  record.set_subprotocol(json::Text(json, "subprotocol"));
  record.set_extensions(json::Text(json, "extensions"));
  ReadTraffic(json::Members(json, "toServer"), record.mutable_to_server());
  ReadTraffic(json::Members(json, "toClient"), record.mutable_to_client());
  record.set_throttled_ms(Number(json, "throttledMs"));
  return record;
}

v1::SessionRecord SyntheticRecord(const std::string& request_id, std::int64_t request_start,
                                  std::int64_t established, std::int64_t ended) {
  ended = std::max({ended, request_start, established});  // Kubernetes tells whole seconds
  v1::SessionRecord record;
  record.set_request_id(request_id);
  record.set_request_start(request_start);
  record.set_established(established);
  record.set_ended(ended);
  if (request_start != 0) record.set_duration_ms((ended - request_start) / 1000);
  if (established != 0) {
    record.set_billed_ms((ended - established) / 1000);
    record.set_http_status(101);
    record.set_close_code(1006);
  }
  record.set_status_code(500);
  record.set_status("failure");
  record.set_reason(std::string(ReasonName(Reason::kInternalError)));
  record.set_closed_by(std::string(PartyName(Party::kPlatform)));
  return record;
}

Remains ReadTerminationMessage(const std::string& text, std::int64_t ended) {
  const Json message = Json::parse(text, nullptr, false);
  if (!message.is_object()) return {};
  if (message.contains("totals")) return ReadShared(message, ended);
  if (!message.contains("requestId")) return {};  // not written by a sidecar
  if (message.contains("statusCode")) return {{ReadRecord(message)}, std::nullopt};
  return {{SyntheticRecord(json::Text(message, "requestId"),
                           ParseRfc3339(json::Text(message, "requestStart")),
                           ParseRfc3339(json::Text(message, "established")), ended)},
          std::nullopt};
}

}  // namespace wsf
