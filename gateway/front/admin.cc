// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/admin.h"

#include "absl/strings/str_cat.h"
#include "common/http/head.h"
#include "common/http/refusal.h"
#include "common/net/head_reader.h"

namespace wsf::front {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHeadTime = std::chrono::seconds(5);

std::string Answer(int status, const std::string& body) {
  http::AnswerHead head;
  head.status = status;
  head.reason = std::string(http::StatusPhrase(status));
  head.fields.Add("Content-Type", "text/plain; version=0.0.4");
  head.fields.Add("Content-Length", absl::StrCat(body.size()));
  head.fields.Add("Connection", "close");
  return http::Write(head) + body;
}

}  // namespace

net::awaitable<void> ServeAdmin(boost::asio::ip::tcp::socket client,
                                const observe::Metrics& metrics, std::function<bool()> is_ready) {
  net::Connection connection(std::move(client));
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  const absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  const std::string target = head.ok() ? head->target : "";
  std::string answer = Answer(404, "not found\n");
  if (target == "/metrics") answer = Answer(200, metrics.Text());
  if (target == "/healthz") answer = Answer(200, "ok\n");
  if (target == "/readyz") answer = is_ready() ? Answer(200, "ok\n") : Answer(503, "wait\n");
  co_await net::SendAndClose(std::move(connection), std::move(answer));
}

}  // namespace wsf::front
