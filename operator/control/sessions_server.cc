// SPDX-License-Identifier: Apache-2.0
#include "operator/control/sessions_server.h"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/http/answer.h"
#include "common/http/head.h"
#include "common/net/deadline.h"
#include "common/net/head_reader.h"

namespace wsf::control {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHeadTime = std::chrono::seconds(5);

std::string Answer(int status, const std::string& body) {
  return http::WholeAnswer(status, "application/json", body);
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
  return Answer(
      200, the_operator.Sessions({value("namespace"), value("function"), value("after")}) + "\n");
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

// Whole answers are short and end with the connection.
net::awaitable<std::string> AskLeader(const std::string& host, std::uint16_t port,
                                      const std::string& request) {
  const auto executor = co_await boost::asio::this_coro::executor;
  net::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  if (error) co_return ErrorAnswer(503, "no operator leads yet; try again");
  net::Connection::Socket socket(executor);
  net::Connection leader(std::move(socket));
  const net::Deadline deadline(leader.socket(), kHeadTime);
  const boost::asio::ip::tcp::endpoint endpoint(ip, port);
  co_await leader.socket().async_connect(endpoint, net::Await(error));
  if (!error) co_await leader.WriteAll(request, error);
  std::string answer;
  std::array<char, 4096> buffer;
  while (!error && !deadline.passed()) {
    const std::size_t size = co_await leader.ReadSome(buffer.data(), buffer.size(), error);
    if (!error) answer.append(buffer.data(), size);
  }
  if (answer.empty()) answer = ErrorAnswer(503, "the leading operator does not answer; try again");
  co_return answer;
}

}  // namespace

net::awaitable<void> ServeSessions(boost::asio::ip::tcp::socket client, Operator* the_operator,
                                   const service::Leader* leader, std::uint16_t port) {
  net::Connection connection(std::move(client));
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  const absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  std::string answer = ErrorAnswer(400, "this is no HTTP/1.1 request");
  if (head.ok() && head->fields.Count("Origin") > 0) {
    answer = ErrorAnswer(403, "web pages may not see sessions");
  } else if (head.ok() && !leader->here() && !absl::StartsWith(head->target, "/healthz")) {
    answer = co_await AskLeader(leader->host(), port, bytes->head);
  } else if (head.ok() && head->method == "GET") {
    answer = AnswerGet(head->target, *the_operator);
  } else if (head.ok()) {
    const std::string id = SessionToEnd(head->target);
    int status = 405;
    if (head->method == "POST" && !id.empty()) status = co_await EndSession(*the_operator, id);
    answer = status == 204   ? Answer(204, "")
             : status == 404 ? ErrorAnswer(404, "no live session " + id)
             : status == 503 ? ErrorAnswer(503, "its instance does not answer; try again")
                             : ErrorAnswer(405, "POST /sessions/ID/end");
  }
  co_await net::SendAndClose(std::move(connection), std::move(answer));
}

}  // namespace wsf::control
