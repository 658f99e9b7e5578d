// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/record_reader.h"

#include <algorithm>

#include "common/base/reason.h"
#include "common/base/time.h"

namespace wsf::ledger {
namespace {

using instances::Json;

void ReadTraffic(const Json& json, v1::Traffic* traffic) {
  traffic->set_messages(json.value("messages", std::int64_t{0}));
  traffic->set_bytes(json.value("bytes", std::int64_t{0}));
  traffic->set_control_frames(json.value("controlFrames", std::int64_t{0}));
}

// The inverse of RecordJson for what a sidecar writes.
v1::SessionRecord ReadRecord(const Json& json) {
  v1::SessionRecord record;
  record.set_request_id(json.value("requestId", ""));
  record.set_request_start(ParseRfc3339(json.value("requestStart", "")));
  record.set_established(ParseRfc3339(json.value("established", "")));
  record.set_ended(ParseRfc3339(json.value("ended", "")));
  record.set_init_ms(json.value("initMs", std::int64_t{0}));
  record.set_duration_ms(json.value("durationMs", std::int64_t{0}));
  record.set_billed_ms(json.value("billedMs", std::int64_t{0}));
  record.set_status_code(json.value("statusCode", 0));
  record.set_status(json.value("status", ""));
  record.set_reason(json.value("reason", ""));
  record.set_closed_by(json.value("closedBy", ""));
  record.set_close_code(json.value("closeCode", 0));
  record.set_close_reason(json.value("closeReason", ""));
  record.set_close_handshake(json.value("closeHandshake", ""));
  record.set_http_status(json.value("httpStatus", 0));
  record.set_subprotocol(json.value("subprotocol", ""));
  record.set_extensions(json.value("extensions", ""));
  ReadTraffic(json.value("toServer", Json::object()), record.mutable_to_server());
  ReadTraffic(json.value("toClient", Json::object()), record.mutable_to_client());
  record.set_throttled_ms(json.value("throttledMs", std::int64_t{0}));
  return record;
}

// The relay died without a word (P18): what it had written last is all there is.
v1::SessionRecord Synthetic(const Json& step) {
  v1::SessionRecord record;
  record.set_request_id(step.value("requestId", ""));
  record.set_request_start(ParseRfc3339(step.value("requestStart", "")));
  record.set_established(ParseRfc3339(step.value("established", "")));
  record.set_ended(UnixMicros());
  record.set_duration_ms((record.ended() - record.request_start()) / 1000);
  if (record.established() != 0) {
    record.set_billed_ms((record.ended() - record.established()) / 1000);
    record.set_http_status(101);
    record.set_close_code(1006);
  }
  record.set_status_code(500);
  record.set_status("failure");
  record.set_reason(std::string(ReasonName(Reason::kInternalError)));
  record.set_closed_by(std::string(PartyName(Party::kPlatform)));
  return record;
}

}  // namespace

std::optional<v1::SessionRecord> RecordOfEndedPod(const instances::Pod& pod) {
  const Json message = Json::parse(pod.relay.message, nullptr, false);
  if (!message.is_object() || !message.contains("requestId")) return std::nullopt;
  try {
    return message.contains("statusCode") ? ReadRecord(message) : Synthetic(message);
  } catch (const Json::exception&) {
    return std::nullopt;  // not written by a sidecar
  }
}

bool MayBeRefined(const v1::SessionRecord& record) {
  return record.status_code() == 439 && record.reason() == ReasonName(Reason::kUserProcessExited);
}

void Refine(const instances::Pod& pod, v1::SessionRecord* record) {
  if (!MayBeRefined(*record) || !pod.server.terminated) return;
  record->set_exit_code(pod.server.exit_code);
  if (pod.server.reason != "OOMKilled") return;
  record->set_status_code(434);
  record->set_reason(std::string(ReasonName(Reason::kMemoryLimitReached)));
}

void Complete(const instances::Pod& pod, const std::string& function_key,
              v1::SessionRecord* record) {
  const std::size_t slash = function_key.find('/');
  record->set_namespace_(function_key.substr(0, slash));
  record->set_function(function_key.substr(slash + 1));
  record->set_revision(pod.revision);
  record->set_instance(pod.name);
  record->set_pod_uid(pod.uid);
}

}  // namespace wsf::ledger
