// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/broker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/observe/log.h"

namespace wsf::front {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kHeadStart = milliseconds(20);
constexpr auto kNoOperatorWait = seconds(10);  // H32
constexpr auto kWaitBeyondInit = seconds(5);   // H15
constexpr auto kInitTime = seconds(90);
constexpr std::size_t kMaxUnacknowledged = 10000;

TimePoint Now() { return std::chrono::steady_clock::now(); }

http::Refusal ToRefusal(const v1::Refusal& from) {
  return {from.http_status(), from.code(), from.reason(), from.message(),
          static_cast<int>(from.retry_after_seconds())};
}

}  // namespace

Broker::Broker(boost::asio::io_context& io, Options options, Send send)
    : io_(io),
      options_(std::move(options)),
      send_(std::move(send)),
      routes_(options_.default_function),
      pool_(options_.gateway_id, kHeadStart),
      queue_(options_.max_waiting),
      steal_timer_(io_) {}

// ---- The operator's side ----

void Broker::OnOpen() {
  v1::FromGateway message;
  message.mutable_hello()->set_gateway(options_.gateway_id);
  send_(message);
  for (const auto& [request_id, live] : live_) {
    *message.mutable_taken() = live.taken;
    send_(message);
  }
  for (const auto& [request_id, ticket] : tickets_) SendWaiting(*ticket);
  for (const auto& [key, ended] : unacknowledged_) {
    *message.mutable_ended() = ended;
    send_(message);
  }
  message.mutable_in_sync();
  send_(message);
}

void Broker::OnMessage(const v1::ToGateway& message) {
  switch (message.message_case()) {
    case v1::ToGateway::kSnapshot:
      attached_ = true;
      routes_.MarkAll();
      pool_.MarkAll();
      break;
    case v1::ToGateway::kInSync:
      routes_.DropMarked();
      pool_.DropMarked();
      in_sync_ = knows_all_ = true;
      RefuseUnrouted();
      break;
    case v1::ToGateway::kRoute:
      routes_.Set(message.route());
      RefuseUnrouted();
      break;
    case v1::ToGateway::kRouteGone:
      routes_.Remove(route::KeyOf(message.route_gone().function()));
      RefuseUnrouted();
      break;
    case v1::ToGateway::kFree: pool_.Add(message.free(), Now()); break;
    case v1::ToGateway::kWithdraw: pool_.Remove(message.withdraw().pod_uid()); break;
    case v1::ToGateway::kRefuse: {
      const auto found = tickets_.find(message.refuse().request_id());
      if (found == tickets_.end()) break;  // no longer waiting
      found->second->refusal = ToRefusal(message.refuse().refusal());
      found->second->wake.cancel();
      break;
    }
    case v1::ToGateway::kAck:
      unacknowledged_.erase({message.ack().pod_uid(), message.ack().request_id()});
      break;
    case v1::ToGateway::MESSAGE_NOT_SET: break;
  }
  Dispatch();
}

void Broker::OnLost() {
  knows_all_ = false;
  if (!std::exchange(attached_, false)) return;
  lost_since_ = Now();
  for (const auto& [id, ticket] : tickets_) ticket->wake.cancel();  // their wait is shorter now
}

void Broker::RefuseUnrouted() {
  for (const auto& [id, ticket] : tickets_) {
    auto refusal = WhyUnrouted(ticket->function_key);
    if (!refusal) continue;
    ticket->refusal = std::move(refusal);
    ticket->wake.cancel();
  }
}

std::optional<http::Refusal> Broker::WhyUnrouted(const std::string& function_key) const {
  const auto route = routes_.Find(function_key);
  if (route == nullptr) return http::UnknownFunction();
  if (route->state() == v1::Route::REFUSE) return ToRefusal(route->refusal());
  return std::nullopt;
}

void Broker::RefuseAll(const http::Refusal& refusal) {
  closed_ = refusal;
  for (const auto& [id, ticket] : tickets_) {
    ticket->refusal = refusal;
    ticket->wake.cancel();
  }
}

// ---- The handshakes' side ----

Duration Broker::MaxWait(const std::string& function_key) const {
  if (options_.max_wait) return *options_.max_wait;
  const auto route = routes_.Find(function_key);
  const auto init = route == nullptr ? kInitTime : seconds(route->init_timeout_seconds());
  return init + kWaitBeyondInit;
}

net::awaitable<void> Broker::Acquire(std::shared_ptr<Ticket> ticket, std::string revision) {
  ticket->instance.reset();
  ticket->refusal = closed_ ? closed_ : WhyUnrouted(ticket->function_key);
  if (ticket->refusal) co_return;
  const bool is_first_try = ticket->start == TimePoint();
  if (is_first_try) ticket->start = Now();
  if (queue_.First(ticket->function_key) == nullptr) {
    ticket->instance = pool_.Take(ticket->function_key, revision, Now());
    if (ticket->instance) co_return;
  }
  if (!is_first_try) {
    queue_.Return(ticket->function_key, ticket.get(), ticket->since);
  } else if (!queue_.Join(ticket->function_key, ticket.get(), ticket->since)) {
    ticket->refusal = http::WaitingQueueFull();
    co_return;
  }
  ticket->queued = ticket->waited = true;
  tickets_[ticket->request_id] = ticket.get();
  SendWaiting(*ticket);
  Dispatch();
  const TimePoint until = ticket->start + MaxWait(ticket->function_key);
  while (!ticket->instance && !ticket->refusal && !ticket->cancelled) {
    const bool alone = !attached_;
    const TimePoint alone_until = std::max(ticket->start, lost_since_) + kNoOperatorWait;
    if (alone && Now() >= alone_until) {
      ticket->refusal = http::NoOperator();
    } else if (Now() >= until) {
      ticket->refusal = http::WaitedTooLong();
    } else {
      net::error_code ignored;
      ticket->wake.expires_at(alone ? std::min(until, alone_until) : until);
      co_await ticket->wake.async_wait(net::Await(ignored));
    }
  }
  Leave(ticket.get());
}

void Broker::Forget(const std::string& request_id) {
  v1::FromGateway message;
  message.mutable_left()->set_request_id(request_id);
  send_(message);
}

void Broker::Leave(Ticket* ticket) {
  if (std::exchange(ticket->queued, false)) queue_.Leave(ticket->function_key, ticket);
  tickets_.erase(ticket->request_id);
  if (ticket->instance && ticket->cancelled) GiveBack(*ticket->instance);
}

void Broker::GiveBack(const v1::Free& instance) {
  pool_.Add(instance, Now());
  Dispatch();
}

void Broker::SendWaiting(const Ticket& ticket) {
  v1::FromGateway message;
  v1::Waiting* waiting = message.mutable_waiting();
  const std::size_t slash = ticket.function_key.find('/');
  waiting->set_request_id(ticket.request_id);
  waiting->mutable_function()->set_namespace_(ticket.function_key.substr(0, slash));
  waiting->mutable_function()->set_name(ticket.function_key.substr(slash + 1));
  waiting->set_since(ticket.since);
  send_(message);
}

void Broker::Dispatch() {
  std::vector<std::string> keys;
  for (const auto& [key, line] : queue_.lines()) keys.push_back(key);
  std::optional<TimePoint> chance;
  for (const std::string& key : keys) {
    DispatchFunction(key);
    if (queue_.First(key) == nullptr) continue;
    if (const auto next = pool_.NextChance(key)) chance = chance ? std::min(*chance, *next) : *next;
  }
  if (!chance) return;
  steal_timer_.expires_at(*chance);
  steal_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Dispatch();
  });
}

void Broker::DispatchFunction(const std::string& function_key) {
  const auto route = routes_.Find(function_key);
  const std::string revision = route == nullptr ? "" : route->revision();
  while (Ticket* const* first = queue_.First(function_key)) {
    Ticket* const ticket = *first;
    std::optional<v1::Free> instance = pool_.Take(function_key, revision, Now());
    if (!instance) break;
    ticket->instance = std::move(instance);
    ticket->queued = false;
    queue_.Leave(function_key, ticket);
    ticket->wake.cancel();
  }
}

void Broker::Taken(const v1::Free& instance, const std::string& request_id,
                   const std::string& client) {
  v1::FromGateway message;
  v1::Taken* taken = message.mutable_taken();
  taken->set_pod_uid(instance.pod_uid());
  taken->set_request_id(request_id);
  taken->set_client(client);
  taken->set_since(UnixMicros());
  live_[request_id] = {*taken, instance.address(), instance.claim_token()};
  send_(message);
}

void Broker::NotTaken(const std::string& pod_uid, const std::string& request_id,
                      v1::NotTaken::Why why) {
  live_.erase(request_id);
  pool_.Remove(pod_uid);  // until the operator tells of it again
  v1::FromGateway message;
  message.mutable_not_taken()->set_pod_uid(pod_uid);
  message.mutable_not_taken()->set_request_id(request_id);
  message.mutable_not_taken()->set_why(why);
  send_(message);
}

void Broker::SessionEnded(const std::string& pod_uid, const std::string& request_id,
                          v1::SessionEnded::LostSide lost_side, std::int64_t established) {
  live_.erase(request_id);
  v1::FromGateway message;
  v1::SessionEnded* ended = message.mutable_ended();
  ended->set_pod_uid(pod_uid);
  ended->set_request_id(request_id);
  ended->set_ended(UnixMicros());
  ended->set_lost_side(lost_side);
  ended->set_established(established);
  if (unacknowledged_.size() < kMaxUnacknowledged) {
    unacknowledged_[{pod_uid, request_id}] = *ended;
  } else {
    observe::Log(
        observe::Level::kWarning, "an end is told once only",
        {{"request_id", request_id}, {"error", "as many as a gateway keeps are not acknowledged"}});
  }
  send_(message);
}

}  // namespace wsf::front
