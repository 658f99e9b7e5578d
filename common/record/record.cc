// SPDX-License-Identifier: Apache-2.0
#include "common/record/record.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "common/base/time.h"

namespace wsf {
namespace {

constexpr std::size_t kMaxTextBytes = 256;
constexpr std::size_t kMaxEscapedBytes = 512;

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Whole characters of `text`, as many as are kept.
std::string_view Cut(std::string_view text) {
  const auto shorten = [&text](std::size_t size) {
    while (size > 0 && IsContinuation(text[size])) --size;
    text = text.substr(0, size);
  };
  if (text.size() > kMaxTextBytes) shorten(kMaxTextBytes);
  while (JsonText(text).size() > kMaxEscapedBytes + 2) shorten(text.size() - 1);
  return text;
}

class ObjectWriter {
 public:
  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Raw(name, JsonText(Cut(value)));
  }
  void Time(std::string_view name, std::int64_t unix_micros) { Text(name, Rfc3339(unix_micros)); }
  void Number(std::string_view name, std::int64_t value) { Raw(name, absl::StrCat(value)); }
  void Raw(std::string_view name, std::string_view json) {
    absl::StrAppend(&out_, out_.empty() ? "{" : ",", JsonText(name), ":",
                    absl::string_view(json.data(), json.size()));
  }
  std::string Finish() && { return std::move(out_) + "}"; }

 private:
  std::string out_;
};

std::string TrafficJson(const v1::Traffic& traffic) {
  ObjectWriter object;
  object.Number("messages", traffic.messages());
  object.Number("bytes", traffic.bytes());
  object.Number("controlFrames", traffic.control_frames());
  return std::move(object).Finish();
}

}  // namespace

std::string RecordJson(const v1::SessionRecord& record) {
  ObjectWriter object;
  object.Text("requestId", record.request_id());
  object.Text("namespace", record.namespace_());
  object.Text("function", record.function());
  object.Text("revision", record.revision());
  object.Text("instance", record.instance());
  object.Text("podUid", record.pod_uid());
  object.Time("requestStart", record.request_start());
  object.Time("established", record.established());
  object.Time("ended", record.ended());
  object.Number("initMs", record.init_ms());
  object.Number("durationMs", record.duration_ms());
  object.Number("billedMs", record.billed_ms());
  object.Number("statusCode", record.status_code());
  object.Text("status", record.status());
  object.Text("reason", record.reason());
  object.Text("message", record.message());
  object.Text("closedBy", record.closed_by());
  if (record.close_code() != 0) object.Number("closeCode", record.close_code());
  object.Text("closeReason", record.close_reason());
  object.Text("closeHandshake", record.close_handshake());
  if (record.http_status() != 0) object.Number("httpStatus", record.http_status());
  object.Text("subprotocol", record.subprotocol());
  object.Text("extensions", record.extensions());
  object.Raw("toServer", TrafficJson(record.to_server()));
  object.Raw("toClient", TrafficJson(record.to_client()));
  object.Number("throttledMs", record.throttled_ms());
  if (record.has_exit_code()) object.Number("exitCode", record.exit_code());
  return std::move(object).Finish();
}

}  // namespace wsf
