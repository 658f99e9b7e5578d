// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/console.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/reason.h"
#include "common/json/read.h"

namespace wsf::supervisor {
namespace {

using Json = nlohmann::json;

// An operator that was killed repeats what was not counted yet: at most 500 of a function.
constexpr std::size_t kMaxSeen = 10000;
// What a terminal may still take at the end.
constexpr auto kFinishTime = std::chrono::seconds(1);

std::string Bytes(std::int64_t bytes) {
  if (bytes < 10000) return absl::StrCat(bytes, " B");
  if (bytes < 10'000'000) return absl::StrCat(bytes / 1024, " KiB");
  return absl::StrCat(bytes >> 20, " MiB");
}

// The random end of a UUIDv7 tells sessions of one second apart.
std::string Short(const std::string& request_id) {
  return request_id.size() < 6 ? request_id : request_id.substr(request_id.size() - 6);
}

std::string DescribeDropped(std::uint64_t lines) {
  return absl::StrCat("! ", lines, " lines are missing here: nobody read them");
}

const char* FieldToChange(int code, const std::string& reason) {
  switch (code) {
    case 455: return "  (raise idleTimeoutSeconds, 0 = off)";
    case 433:
      if (reason == ReasonName(Reason::kHandshakeTimeout)) {
        return "  (raise handshakeTimeoutSeconds)";
      }
      return "  (raise executionTimeoutSeconds)";
    case 406:
    case 407: return "  (raise limits.maxMessageBytes)";
    default: return "";
  }
}

}  // namespace

std::string DescribeSession(const Json& record) {
  const int code = json::Number(record, "statusCode");
  const std::string reason = json::Text(record, "reason");
  const Json& to_server = json::Members(record, "toServer");
  const Json& to_client = json::Members(record, "toClient");
  std::string close;
  if (record.contains("closeCode")) close = absl::StrCat(", close ", record["closeCode"].dump());
  const std::string message = json::Text(record, "message");
  if (!message.empty()) absl::StrAppend(&close, " (", message, ")");
  return absl::StrFormat("- %s %d %s by %s%s, %.1f s, in %s, out %s%s",
                         Short(json::Text(record, "requestId")), code, reason,
                         json::Text(record, "closedBy"), close,
                         static_cast<double>(json::Number(record, "durationMs")) / 1000.0,
                         Bytes(json::Number(to_server, "bytes")),
                         Bytes(json::Number(to_client, "bytes")), FieldToChange(code, reason));
}

Console::Console(const std::string& records_path)
    : out_(STDOUT_FILENO, DescribeDropped), error_(STDERR_FILENO, DescribeDropped) {
  if (records_path.empty()) return;
  records_ = std::fopen(records_path.c_str(), "a");
  ok_ = records_ != nullptr;
}

Console::~Console() {
  out_.Finish(kFinishTime);
  error_.Finish(kFinishTime);
  if (records_ != nullptr) std::fclose(records_);
}

void Console::OnLog(const std::string& line) {
  const Json log = Json::parse(line, nullptr, false);
  if (!log.is_object()) {  // not from our own logger: a library's complaint
    return Complain(line);
  }
  const std::string message = json::Text(log, "msg");
  const std::string level = json::Text(log, "level");
  if (message == "session") return OnSession(log);
  if (message == "connected") {
    Say(absl::StrCat("+ ", Short(json::Text(log, "request_id")), " connected to ",
                     json::Text(log, "instance")));
  } else if (message == "handshake refused" || level != "info") {
    Say(absl::StrCat("! ", message, ": ", json::Text(log, "error")));
  }
}

bool Console::IsNew(const Json& record) {
  const std::string key = json::Text(record, "podUid") + "/" + json::Text(record, "requestId");
  if (!seen_.insert(key).second) return false;
  last_.push_back(key);
  if (last_.size() > kMaxSeen) {
    seen_.erase(last_.front());
    last_.pop_front();
  }
  return true;
}

void Console::OnSession(const Json& log) {
  if (!IsNew(log)) return;
  Json record = log;
  for (const char* added : {"ts", "level", "msg"}) record.erase(added);
  Say(DescribeSession(record));
  if (records_ == nullptr) return;
  std::fprintf(records_, "%s\n", record.dump().c_str());
  std::fflush(records_);
}

void Console::OnServerOutput(const std::string& pod, const std::string& line) {
  Say(absl::StrCat(pod, " | ", line));
}

}  // namespace wsf::supervisor
