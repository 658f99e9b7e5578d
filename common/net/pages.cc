// SPDX-License-Identifier: Apache-2.0
#include "common/net/pages.h"

#include <utility>

#include "common/http/answer.h"
#include "common/net/head_reader.h"

namespace wsf::net {
namespace {

constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr auto kHeadTime = std::chrono::seconds(5);
// A kubelet and two Prometheus ask once in seconds.
constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxOfOneSource = 16;

std::string Answer(int status, const std::string& text) {
  return http::WholeAnswer(status, "text/plain; version=0.0.4", text);
}

}  // namespace

PagePort::Page Probe(bool is_well) {
  return is_well ? PagePort::Page{200, "ok\n"} : PagePort::Page{503, "wait\n"};
}

PagePort::PagePort(Pages pages, MayAsk may_ask)
    : pages_(std::move(pages)),
      may_ask_(std::move(may_ask)),
      admission_({kMaxConnections, kMaxOfOneSource, true}) {}

void PagePort::Serve(Acceptor acceptor) {
  const auto executor = acceptor.get_executor();
  Spawn(executor, AcceptAll(std::move(acceptor), [this, executor](asio::ip::tcp::socket client) {
          Spawn(executor, Open(std::move(client)));
        }));
}

awaitable<void> PagePort::Open(asio::ip::tcp::socket client) {
  Connection connection(std::move(client));
  error_code error;
  const auto source = connection.socket().remote_endpoint(error);
  if (error || !connection.Add(admission_.EnterFrom(source.address().to_string()))) co_return;
  absl::StatusOr<HeadBytes> bytes = co_await ReadHead(connection, kMaxHeadBytes, kHeadTime);
  if (!bytes.ok()) co_return;
  const absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  std::string answer = net::Answer(400, "this is no HTTP/1.1 request\n");
  if (head.ok()) answer = AnswerTo(*head);
  co_await SendAndClose(std::move(connection), std::move(answer));
}

std::string PagePort::AnswerTo(const http::RequestHead& head) const {
  if (may_ask_ && !may_ask_(head)) return net::Answer(403, "web pages may not ask this\n");
  if (head.method != "GET") return net::Answer(405, "GET\n");
  const auto found = pages_.find(head.target.substr(0, head.target.find('?')));
  if (found == pages_.end()) {
    std::string names;
    for (const auto& [path, page] : pages_) names += path + "\n";
    return net::Answer(404, "there is:\n" + names);
  }
  const Page page = found->second();
  return net::Answer(page.status, page.text);
}

}  // namespace wsf::net
