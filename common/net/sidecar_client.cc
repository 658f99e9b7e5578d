// SPDX-License-Identifier: Apache-2.0
#include "common/net/sidecar_client.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "absl/strings/str_cat.h"
#include "common/http/head.h"
#include "common/net/await.h"
#include "common/net/deadline.h"
#include "common/net/endpoint.h"

namespace wsf::net {
namespace {

using boost::asio::ip::tcp;

constexpr auto kAnswerTime = std::chrono::seconds(1);
constexpr std::size_t kMaxAnswerBytes = 8192;

std::string Text(const ControlRequest& request) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.fields.Add("Host", request.address);
  head.fields.Add("X-Wsf-Control", request.command);
  head.fields.Add("X-Wsf-Claim", request.claim_token);
  if (!request.reason.empty()) head.fields.Add("X-Wsf-Reason", request.reason);
  if (!request.request_id.empty()) head.fields.Add("X-Wsf-Request-Id", request.request_id);
  return http::Write(head);
}

ControlAnswer Parse(const std::string& bytes) {
  const auto size = http::HeadSize(bytes);
  if (!size) return {};
  const absl::StatusOr<http::AnswerHead> head = http::ParseAnswerHead(bytes.substr(0, *size));
  if (!head.ok()) return {};
  return {head->status, bytes.substr(*size)};
}

awaitable<void> Ask(ControlRequest request, std::function<void(ControlAnswer)> done) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto endpoint = ParseEndpoint(request.address);
  if (!endpoint) co_return done({});
  tcp::socket socket(executor);
  const Deadline deadline(socket, kAnswerTime);
  error_code error;
  co_await socket.async_connect(*endpoint, Await(error));
  const std::string text = Text(request);
  if (!error && !deadline.passed()) {
    co_await boost::asio::async_write(socket, boost::asio::buffer(text), Await(error));
  }
  std::string answer;
  std::array<char, 1024> part;
  while (!error && !deadline.passed() && answer.size() <= kMaxAnswerBytes) {
    const std::size_t n = co_await socket.async_read_some(boost::asio::buffer(part), Await(error));
    answer.append(part.data(), n);
  }
  // Whoever has that address now may send without end.
  const bool is_sidecars = answer.size() <= kMaxAnswerBytes;
  done(is_sidecars ? Parse(answer) : ControlAnswer());
}

}  // namespace

void AskSidecar(boost::asio::io_context& io, ControlRequest request,
                std::function<void(ControlAnswer)> done) {
  Spawn(io.get_executor(), Ask(std::move(request), std::move(done)));
}

}  // namespace wsf::net
