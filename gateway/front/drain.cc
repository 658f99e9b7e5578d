// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/drain.h"

#include <algorithm>
#include <utility>

#include "common/base/reason.h"
#include "common/net/sidecar_client.h"
#include "common/observe/log.h"

namespace wsf::front {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(50);
// For the goodbyes of the sidecars to reach their clients.
constexpr auto kGoodbyeTime = seconds(5);
// Each takes a descriptor, of the few that clients have left.
constexpr std::size_t kMaxAsking = 32;

TimePoint Now() { return std::chrono::steady_clock::now(); }

}  // namespace

void Drain::Begin(Times times) {
  if (is_leaving()) times = {};
  if (!is_draining()) stage_ = Stage::kLeaving;
  if (times.lame_duck == Duration::zero()) return Start(times.drain);
  observe::Log(observe::Level::kInfo, "leaving");
  timer_.expires_after(times.lame_duck);
  timer_.async_wait([this, drain = times.drain](const net::error_code& error) {
    if (!error) Start(drain);
  });
}

void Drain::Start(Duration drain_time) {
  stage_ = Stage::kDraining;
  observe::Log(observe::Level::kInfo, "draining");
  Await(Now() + drain_time, [this] {
    broker_.RefuseAll(http::GatewayDraining());
    until_ = Now() + kGoodbyeTime;
    EndSessions();
  });
}

void Drain::Await(TimePoint until, std::function<void()> then) {
  if (broker_.is_empty() || Now() >= until) return then();
  timer_.expires_after(kLook);
  timer_.async_wait([this, until, then = std::move(then)](const net::error_code& error) {
    if (!error) Await(until, then);
  });
}

void Drain::EndSessions() {
  if (to_tell_.empty() && asking_ == 0) {
    for (const auto& [id, live] : broker_.live()) {
      if (!told_.contains(id)) to_tell_.push_back(id);
    }
  }
  TellMore();
  // A busy node says many goodbyes, one after the other.
  if (broker_.open() < open_) until_ = Now() + kGoodbyeTime;
  open_ = broker_.open();
  if (Now() >= until_ && !broker_.live().empty()) {
    observe::Log(observe::Level::kWarning, "sessions cut",
                 {{"sessions", std::to_string(broker_.live().size())},
                  {"error", "they do not end, though their sidecars were told to"}});
  }
  if (broker_.is_empty() || Now() >= until_) return on_over_();
  Await(std::min(until_, Now() + kLook), [this] { EndSessions(); });
}

// A sidecar that gave no answer is asked again: descriptors may have been short.
void Drain::TellMore() {
  while (asking_ < kMaxAsking && !to_tell_.empty()) {
    const std::string id = std::move(to_tell_.front());
    to_tell_.pop_front();
    const auto live = broker_.live().find(id);
    if (live == broker_.live().end()) continue;
    ++asking_;
    net::AskSidecar(io_,
                    {live->second.address, live->second.claim_token, "end",
                     std::string(ReasonName(Reason::kGatewayShutdown)), id},
                    [this, id](const net::ControlAnswer& answer) {
                      --asking_;
                      if (answer.http_status != 0) {
                        told_.insert(id);
                        until_ = Now() + kGoodbyeTime;
                      }
                      TellMore();
                    });
  }
}

}  // namespace wsf::front
