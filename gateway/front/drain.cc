// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/drain.h"

#include <algorithm>
#include <utility>

#include "common/base/reason.h"
#include "common/net/sidecar_client.h"

namespace wsf::front {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(50);
// For the goodbyes of the sidecars to reach their clients.
constexpr auto kGoodbyeTime = seconds(5);

TimePoint Now() { return std::chrono::steady_clock::now(); }

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
    if (!told_.insert(id).second) continue;
    // One that does not answer is left to itself.
    net::AskSidecar(io_,
                    {live.address, live.claim_token, "end",
                     std::string(ReasonName(Reason::kGatewayShutdown)), id},
                    [](const net::ControlAnswer&) {});
  }
  if (broker_.is_empty() || Now() >= until) return on_over_();
  Await(std::min(until, Now() + kLook), [this, until] { EndSessions(until); });
}

}  // namespace wsf::front
