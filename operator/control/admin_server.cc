// SPDX-License-Identifier: Apache-2.0
#include "operator/control/admin_server.h"

#include <boost/asio/post.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/http/answer.h"
#include "common/kube/rest_client.h"
#include "common/net/answered.h"
#include "common/net/head_reader.h"
#include "common/rpc/credentials.h"

namespace wsf::control {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHandshakeTime = std::chrono::seconds(5);
constexpr auto kHeadTime = std::chrono::seconds(5);
constexpr auto kLeaderTime = std::chrono::seconds(10);
// All that comes through the API server comes from its address.
constexpr std::size_t kMaxConnections = 128;
constexpr std::size_t kMaxOfOneSource = 64;

std::string Answer(int status, const std::string& body) {
  return http::WholeAnswer(status, "application/json", body);
}

std::string ErrorAnswer(int status, const std::string& message) {
  return Answer(status, nlohmann::json{{"message", message}}.dump() + "\n");
}

// Names of Kubernetes need no escapes, so none are read.
std::map<std::string, std::string> ReadQuery(absl::string_view query) {
  std::map<std::string, std::string> values;
  for (const auto part : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    values.insert(
        std::pair<std::string, std::string>(absl::StrSplit(part, absl::MaxSplits('=', 1))));
  }
  return values;
}

std::string TokenOf(const http::RequestHead& head) {
  const auto own = head.fields.Find("X-Wsf-Token");
  if (own) return std::string(*own);
  const std::string field(head.fields.Find("Authorization").value_or(""));
  absl::string_view value = field;
  return absl::ConsumePrefix(&value, "Bearer ") ? std::string(value) : "";
}

// What a request asks for, taken apart.
struct Asked {
  enum class What { kMetrics, kSessions, kEnd, kNothing } what = What::kNothing;
  History::Query query;    // kSessions
  std::string request_id;  // kEnd
};

Asked Parse(const http::RequestHead& head) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(head.target, absl::MaxSplits('?', 1));
  Asked asked;
  if (head.method == "GET" && parts.first == "/metrics") {
    asked.what = Asked::What::kMetrics;
  } else if (head.method == "GET" && parts.first == "/sessions") {
    asked.what = Asked::What::kSessions;
    auto query = ReadQuery(parts.second);
    asked.query = {query["namespace"], query["function"], query["after"]};
  } else if (head.method == "POST") {
    absl::string_view id = parts.first;
    const bool is_end = absl::ConsumePrefix(&id, "/sessions/") && absl::ConsumeSuffix(&id, "/end");
    if (is_end && !id.empty()) {
      asked.what = Asked::What::kEnd;
      asked.request_id = std::string(id);
    }
  }
  return asked;
}

Permit::Wish WishOf(const Asked& asked, const Operator& the_operator) {
  switch (asked.what) {
    case Asked::What::kMetrics: return {"get", "", "/metrics"};
    case Asked::What::kSessions: return {"get", asked.query.ns, ""};
    case Asked::What::kEnd:
      return {"delete", the_operator.NamespaceOfSession(asked.request_id), ""};
    case Asked::What::kNothing: break;
  }
  return {};
}

std::string Refusal(Permit::Answer answer, const Permit::Wish& wish) {
  switch (answer) {
    case Permit::Answer::kYes: break;
    case Permit::Answer::kNobody:
      return ErrorAnswer(401, "a bearer token is needed that the API server knows");
    case Permit::Answer::kNo:
      return ErrorAnswer(
          403,
          wish.path.empty()
              ? absl::StrCat("not allowed: \"", wish.verb,
                             "\" on websocketfunctions/sessions of wsf.dev ",
                             wish.ns.empty() ? "in all namespaces" : "in namespace " + wish.ns)
              : absl::StrCat("not allowed: \"", wish.verb, "\" on the nonResourceURL ", wish.path));
    case Permit::Answer::kUnknown:
      return ErrorAnswer(503, "the API server does not say who may do this; try again");
  }
  return "";
}

}  // namespace

AdminServer::AdminServer(Parts parts)
    : parts_(std::move(parts)), admission_({kMaxConnections, kMaxOfOneSource, true}) {}

void AdminServer::Use(const keys::PortKeys& keys) {
  tls_ = std::make_shared<tls::Server>(keys.serving);
  trusted_ = keys.trusted;
}

void AdminServer::Serve(net::Acceptor acceptor) {
  net::Spawn(parts_.io.get_executor(),
             net::AcceptAll(std::move(acceptor), [this](boost::asio::ip::tcp::socket client) {
               net::Spawn(parts_.io.get_executor(), Open(std::move(client)));
             }));
}

net::awaitable<void> AdminServer::Open(boost::asio::ip::tcp::socket client) {
  net::Connection connection(std::move(client));
  net::error_code error;
  const auto source = connection.socket().remote_endpoint(error);
  if (error) co_return;
  if (!connection.Add(admission_.EnterFrom(source.address().to_string()))) {
    parts_.measures->OnRefused("people", "full");
    co_return;
  }
  const std::shared_ptr<tls::Server> tls = tls_;
  std::string name;
  const absl::Status secured = co_await tls->Accept(connection, kHandshakeTime, &name);
  if (!secured.ok()) co_return;
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  std::string answer = ErrorAnswer(400, "this is no HTTP/1.1 request");
  if (head.ok()) answer = co_await AnswerTo(*std::move(head));
  co_await net::SendAndClose(std::move(connection), std::move(answer));
}

net::awaitable<std::string> AdminServer::AnswerTo(http::RequestHead head) {
  if (head.fields.Count("Origin") > 0) co_return ErrorAnswer(403, "web pages may not ask this");
  const Asked asked = Parse(head);
  if (asked.what == Asked::What::kNothing) {
    co_return ErrorAnswer(404, "there is GET /metrics, GET /sessions and POST /sessions/ID/end");
  }
  const std::string token = TokenOf(head);
  const bool is_here = parts_.leader->here() || asked.what == Asked::What::kMetrics;
  if (!is_here) {
    std::string passed_on = co_await AskLeader(std::move(head), token);
    co_return passed_on;
  }
  const Permit::Wish wish = WishOf(asked, *parts_.the_operator);
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto permit = std::make_shared<net::Answered<Permit::Answer>>(executor);
  const Permit::Done done = [permit](Permit::Answer answer) { permit->Set(answer); };
  parts_.permit->Ask(token, wish, done);
  const Permit::Answer permitted = co_await permit->Get();
  if (permitted != Permit::Answer::kYes) {
    if (permitted == Permit::Answer::kNobody) parts_.measures->OnRefused("people", "token");
    if (permitted == Permit::Answer::kNo) parts_.measures->OnRefused("people", "right");
    co_return Refusal(permitted, wish);
  }
  if (asked.what == Asked::What::kMetrics)
    co_return http::WholeAnswer(200, "text/plain; version=0.0.4", parts_.metrics());
  if (asked.what == Asked::What::kSessions)
    co_return Answer(200, parts_.the_operator->Sessions(asked.query) + "\n");
  std::string ended = co_await End(asked.request_id);
  co_return ended;
}

net::awaitable<std::string> AdminServer::End(std::string request_id) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto ended = std::make_shared<net::Answered<int>>(executor);
  const std::function<void(int)> done = [ended](int http_status) { ended->Set(http_status); };
  parts_.the_operator->EndSession(request_id, done);
  const int status = co_await ended->Get();
  if (status == 204) co_return Answer(204, "");
  if (status == 404) co_return ErrorAnswer(404, "no live session " + request_id);
  co_return ErrorAnswer(503, "its instance does not answer; try again");
}

net::awaitable<std::string> AdminServer::AskLeader(http::RequestHead head, std::string token) {
  const std::string host = parts_.leader->host();
  net::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  if (error) co_return ErrorAnswer(503, "no operator leads yet; try again");
  kube::Access access;
  access.server =
      absl::StrCat("https://", ip.is_v6() ? "[" : "", host, ip.is_v6() ? "]:" : ":", parts_.port);
  access.server_name = rpc::kOperatorName;
  access.authority.data = trusted_;
  access.token.data = token;
  const std::function<void(std::function<void()>)> post =
      [io = &parts_.io](std::function<void()> work) { boost::asio::post(*io, std::move(work)); };
  const std::unique_ptr<kube::Client> leader = kube::MakeRestClient(access, post, kLeaderTime);
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto answered = std::make_shared<net::Answered<kube::Response>>(executor);
  const kube::Client::Callback done = [answered](kube::Response response) {
    answered->Set(std::move(response));
  };
  if (head.method == "GET") {
    leader->Get(head.target, done);
  } else {
    leader->Create(head.target, kube::Json::object(), done);
  }
  const kube::Response response = co_await answered->Get();
  if (response.status == 0)
    co_return ErrorAnswer(503, "the leading operator does not answer; try again");
  co_return Answer(response.status, response.text);
}

}  // namespace wsf::control
