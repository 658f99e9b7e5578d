// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/drain.h"

#include <algorithm>
#include <utility>

#include "common/base/reason.h"
#include "common/http/head.h"
#include "common/net/connection.h"
#include "common/net/deadline.h"
#include "common/net/endpoint.h"

namespace wsf::front {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(50);
// For the goodbyes of the sidecars to reach their clients.
constexpr auto kGoodbyeTime = seconds(5);
constexpr auto kAskTime = seconds(2);

TimePoint Now() { return std::chrono::steady_clock::now(); }

// Asks one sidecar to end its session with 1012; one that does not answer is left to itself.
net::awaitable<void> EndSession(boost::asio::io_context& io, Broker::Live live) {
  const auto endpoint = net::ParseEndpoint(live.address);
  if (!endpoint) co_return;
  http::RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.fields.Add("Host", live.address);
  head.fields.Add("X-Wsf-Control", "end");
  head.fields.Add("X-Wsf-Claim", live.claim_token);
  head.fields.Add("X-Wsf-Reason", ReasonName(Reason::kGatewayShutdown));
  head.fields.Add("X-Wsf-Request-Id", live.taken.request_id());
  const std::string text = http::Write(head);
  net::Connection connection{net::Connection::Socket(io)};
  net::Deadline deadline(connection.socket(), kAskTime);
  net::error_code error;
  co_await connection.socket().async_connect(*endpoint, net::Await(error));
  if (!error) co_await connection.WriteAll(text, error);
  char answer = 0;
  if (!error) co_await connection.ReadSome(&answer, 1, error);
}

}  // namespace

void Drain::Begin(Duration drain_time) {
  const bool again = std::exchange(begun_, true);
  Await(again ? Now() : Now() + drain_time, [this] {
    broker_.RefuseAll(http::GatewayDraining());
    EndSessions(Now() + kGoodbyeTime);
  });
}

void Drain::Await(TimePoint until, std::function<void()> then) {
  if (broker_.is_empty() || Now() >= until) return then();
  timer_.expires_after(kLook);
  timer_.async_wait([this, until, then = std::move(then)](const net::error_code& error) {
    if (!error) Await(until, then);
  });
}

void Drain::EndSessions(TimePoint until) {
  for (const auto& [id, live] : broker_.live()) {
    if (told_.insert(id).second) net::Spawn(io_.get_executor(), EndSession(io_, live));
  }
  if (broker_.is_empty() || Now() >= until) return on_over_();
  Await(std::min(until, Now() + kLook), [this, until] { EndSessions(until); });
}

}  // namespace wsf::front
