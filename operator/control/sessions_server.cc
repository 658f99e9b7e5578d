// SPDX-License-Identifier: Apache-2.0
#include "operator/control/sessions_server.h"

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/http/head.h"
#include "common/http/refusal.h"
#include "common/net/head_reader.h"

namespace wsf::control {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHeadTime = std::chrono::seconds(5);

std::string Answer(int status, const std::string& body) {
  http::AnswerHead head;
  head.status = status;
  head.reason = std::string(http::StatusPhrase(status));
  head.fields.Add("Content-Type", "application/json");
  head.fields.Add("Content-Length", absl::StrCat(body.size()));
  head.fields.Add("Connection", "close");
  return http::Write(head) + body;
}

std::string ErrorAnswer(int status, const std::string& message) {
  return Answer(status, nlohmann::json{{"message", message}}.dump() + "\n");
}

// Names of Kubernetes need no escapes, so none are read.
std::map<std::string, std::string> ReadQuery(const std::string& query) {
  std::map<std::string, std::string> values;
  for (const auto part : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    values.insert(
        std::pair<std::string, std::string>(absl::StrSplit(part, absl::MaxSplits('=', 1))));
  }
  return values;
}

std::string AnswerGet(const std::string& target, const Operator& the_operator) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  if (parts.first == "/healthz") return Answer(200, "{}\n");
  if (parts.first != "/sessions") return ErrorAnswer(404, "GET /sessions or /healthz");
  const auto query = ReadQuery(parts.second);
  const auto value = [&query](const char* name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  return Answer(200, the_operator.Sessions(value("namespace"), value("function")).dump() + "\n");
}

// "/sessions/ID/end" -> ID.
std::string SessionToEnd(absl::string_view target) {
  if (!absl::ConsumePrefix(&target, "/sessions/") || !absl::ConsumeSuffix(&target, "/end"))
    return "";
  return std::string(target);
}

net::awaitable<int> EndSession(Operator& the_operator, std::string request_id) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto status = std::make_shared<int>(0);
  const auto answered =
      std::make_shared<boost::asio::steady_timer>(executor, std::chrono::hours(1));
  const std::function<void(int)> done = [status, answered](int http_status) {
    *status = http_status;
    answered->cancel();
  };
  the_operator.EndSession(request_id, done);
  net::error_code ignored;
  if (*status == 0) co_await answered->async_wait(net::Await(ignored));
  co_return *status;
}

}  // namespace

net::awaitable<void> ServeSessions(boost::asio::ip::tcp::socket client, Operator& the_operator) {
  net::Connection connection(std::move(client));
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  const absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  std::string answer = ErrorAnswer(400, "this is no HTTP/1.1 request");
  if (head.ok() && head->fields.Count("Origin") > 0) {
    answer = ErrorAnswer(403, "web pages may not see sessions");
  } else if (head.ok() && head->method == "GET") {
    answer = AnswerGet(head->target, the_operator);
  } else if (head.ok()) {
    const std::string id = SessionToEnd(head->target);
    int status = 405;
    if (head->method == "POST" && !id.empty()) status = co_await EndSession(the_operator, id);
    answer = status == 204   ? Answer(204, "")
             : status == 404 ? ErrorAnswer(404, "no live session " + id)
             : status == 503 ? ErrorAnswer(503, "its instance does not answer; try again")
                             : ErrorAnswer(405, "POST /sessions/ID/end");
  }
  co_await net::SendAndClose(std::move(connection), std::move(answer));
}

}  // namespace wsf::control
