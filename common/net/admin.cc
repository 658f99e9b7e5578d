// SPDX-License-Identifier: Apache-2.0
#include "common/net/admin.h"

#include "common/http/answer.h"
#include "common/http/head.h"
#include "common/net/head_reader.h"

namespace wsf::net {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHeadTime = std::chrono::seconds(5);

std::string Answer(int status, const std::string& body) {
  return http::WholeAnswer(status, "text/plain; version=0.0.4", body);
}

}  // namespace

awaitable<void> ServeAdmin(asio::ip::tcp::socket client, const AdminPages* pages) {
  Connection connection(std::move(client));
  absl::StatusOr<HeadBytes> bytes = co_await ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  const absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  const std::string target = head.ok() ? head->target : "";
  const auto say = [](bool well) { return well ? Answer(200, "ok\n") : Answer(503, "wait\n"); };
  std::string answer = Answer(404, "not found\n");
  if (target == "/metrics") answer = Answer(200, pages->metrics());
  if (target == "/healthz") answer = say(pages->is_healthy());
  if (target == "/readyz") answer = say(pages->is_ready());
  co_await SendAndClose(std::move(connection), std::move(answer));
}

}  // namespace wsf::net
