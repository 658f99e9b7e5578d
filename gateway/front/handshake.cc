// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/handshake.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/http/answer.h"
#include "common/http/authority.h"
#include "common/http/handshake.h"
#include "common/net/deadline.h"
#include "common/net/endpoint.h"
#include "common/net/head_reader.h"
#include "common/net/tuning.h"
#include "common/observe/log.h"

namespace wsf::front {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// From the dial to `taken`: one hop, and a sidecar may have to await its token for 5 s.
constexpr auto kDialTime = seconds(7);
constexpr auto kRoutesTime = seconds(10);  // H32
constexpr std::string_view kCheckPath = "/_wsf/healthz";
constexpr int kLossesAfterTaken = 2;  // H26: tried once more
// On top of the time that the sidecar gives its server: it answers before that, whatever that does.
constexpr auto kTakenMargin = seconds(5);
// What a sidecar passes on, and the fields that it adds.
constexpr std::size_t kMaxAnswerHeadBytes = 72 * 1024;

std::optional<v1::NotTaken::Why> WhyNotTaken(std::string_view sidecar_says) {
  if (sidecar_says == "busy") return v1::NotTaken::BUSY;
  if (sidecar_says == "starting") return v1::NotTaken::STARTING;
  if (sidecar_says == "closed") return v1::NotTaken::CLOSED;
  if (sidecar_says == "denied") return v1::NotTaken::DENIED;
  return std::nullopt;
}

// Exact, as a browser writes it; several Origins are none that is allowed (faults.md S3).
bool IsOriginAllowed(const v1::Route& route, const http::Fields& fields) {
  if (route.allowed_origins_size() == 0 || fields.Count("Origin") == 0) return true;
  const auto& allowed = route.allowed_origins();
  return fields.Count("Origin") == 1 &&
         std::find(allowed.begin(), allowed.end(), *fields.Find("Origin")) != allowed.end();
}

seconds TimeOf(const v1::Route& route) {
  return seconds(route.settings().handshake_timeout_seconds());
}

http::Refusal ToRefusal(const v1::Refusal& from) {
  return {from.http_status(), from.code(), from.reason(), from.message(),
          static_cast<int>(from.retry_after_seconds())};
}

}  // namespace

Handshake::Handshake(Parts parts, door::Arrival arrival)
    : parts_(std::move(parts)),
      client_(std::move(arrival.connection)),
      peer_(std::move(arrival.client)),
      head_until_(arrival.head_until),
      sidecar_(parts_.io) {}

net::awaitable<void> Handshake::Run() {
  const auto self = shared_from_this();
  request_id_ = NewRequestId(UnixMicros());
  std::optional<http::Refusal> refusal = co_await ReadRequest();
  if (client_left_) co_return;
  const bool was_check = co_await AnswerCheck();
  if (was_check) co_return;
  if (!refusal) refusal = http::CheckHandshake(request_);
  if (!refusal) refusal = CheckClient();
  if (!refusal) refusal = co_await AwaitRoutes();
  if (!refusal) refusal = CheckRoute();
  if (refusal) {
    co_await Refuse(*std::move(refusal));
  } else {
    co_await Serve();
  }
}

net::awaitable<std::optional<http::Refusal>> Handshake::ReadRequest() {
  const auto time_left = head_until_ - std::chrono::steady_clock::now();
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(client_, http::kMaxHeadBytes, time_left);
  if (absl::IsUnavailable(bytes.status())) client_left_ = true;
  if (!bytes.ok()) co_return http::UnreadHead(bytes.status());
  absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes->head);
  if (!head.ok()) co_return http::BadRequest(400, std::string(head.status().message()));
  request_ = *std::move(head);
  const std::string_view host = request_.fields.Find("Host").value_or("");
  if (auto path = http::PathOfTarget(request_.target, host)) request_.target = *std::move(path);
  if (!bytes->rest.empty()) {
    std::optional<http::Refusal> wrong = http::CheckHandshake(request_);
    co_return wrong ? wrong : http::BadRequest(400, "bytes were sent before the 101");
  }
  co_return std::nullopt;
}

net::awaitable<bool> Handshake::AnswerCheck() {
  const bool asks = request_.method == "GET" || request_.method == "HEAD";
  if (!asks || request_.target.substr(0, request_.target.find('?')) != kCheckPath) co_return false;
  const bool ready = parts_.is_ready();
  std::string answer =
      http::WholeAnswer(ready ? 200 : 503, "text/plain", ready ? "ok\n" : "wait\n");
  if (request_.method == "HEAD") answer.resize(*http::HeadSize(answer));
  co_await net::SendAndClose(std::move(client_), std::move(answer));
  co_return true;
}

net::awaitable<std::optional<http::Refusal>> Handshake::AwaitRoutes() {
  const TimePoint until = std::chrono::steady_clock::now() + kRoutesTime;
  while (!parts_.broker.knows_all()) {
    const bool is_known =
        parts_.broker.in_sync() &&
        parts_.broker.routes().Resolve(*request_.fields.Find("Host"), request_.target).has_value();
    if (is_known) break;
    if (std::chrono::steady_clock::now() >= until) co_return http::NoOperator();
    boost::asio::steady_timer timer(parts_.io, milliseconds(50));
    net::error_code ignored;
    co_await timer.async_wait(net::Await(ignored));
  }
  co_return std::nullopt;
}

std::optional<http::Refusal> Handshake::CheckClient() {
  const auto name = http::ParseAuthority(*request_.fields.Find("Host"));
  if (!peer_.server_name.empty() && (!name || http::NormalHost(peer_.server_name) != name->host)) {
    return http::BadRequest(421, "Host is not the name that TLS was asked for");
  }
  if (parts_.trusted.Contains(peer_.peer_ip)) {
    peer_ = parts_.trusted.Behind(peer_, request_.fields);
    if (!client_.Add(parts_.admission.EnterFrom(peer_.ip))) return http::GatewayFull();
  }
  if (auto refusal = CheckExposure(parts_.exposure, request_)) return refusal;
  return parts_.closed();
}

std::optional<http::Refusal> Handshake::CheckRoute() {
  auto match = parts_.broker.routes().Resolve(*request_.fields.Find("Host"), request_.target);
  if (!match) return http::UnknownFunction();
  match_ = *std::move(match);
  const v1::Route& route = *match_.route;
  function_key_ = route::KeyOf(route.function());
  if (!IsOriginAllowed(route, request_.fields)) return http::OriginNotAllowed();
  if (route.state() == v1::Route::REFUSE) return ToRefusal(route.refusal());
  return std::nullopt;
}

void Handshake::WatchClient() {
  client_.WaitReadable([self = shared_from_this()](const net::error_code& error) {
    if (error || self->over_) return;
    char byte;
    const ssize_t n = self->client_.Read(&byte, 1);
    if (n < 0) return self->WatchClient();  // TLS talks to itself
    self->client_spoke_ = n > 0;
    self->client_left_ = n == 0;
    self->ticket_->Cancel();
    net::error_code ignored;
    self->sidecar_.close(ignored);           // the sidecar sees its client leave (H16)
    self->client_.socket().cancel(ignored);  // an interim answer that it did not take
  });
}

net::awaitable<void> Handshake::Serve() {
  ticket_ = std::make_shared<Broker::Ticket>(parts_.io);
  ticket_->request_id = request_id_;
  ticket_->function_key = function_key_;
  ticket_->since = UnixMicros();
  WatchClient();
  int losses = 0;
  while (losses < kLossesAfterTaken) {
    const auto route = parts_.broker.routes().Find(function_key_);
    std::string revision;
    if (route != nullptr) revision = route->revision();
    co_await parts_.broker.Acquire(ticket_, revision);
    if (!ticket_->instance || ticket_->cancelled) break;
    const v1::Free instance = *ticket_->instance;
    const Tried tried = co_await Try(instance);
    if (tried == Tried::kOver) co_return;
    if (tried == Tried::kStuck) break;
    if (tried == Tried::kLostAfterTaken) ++losses;
    if (client_left_ || client_spoke_) break;
  }
  parts_.broker.Forget(request_id_);
  net::error_code ignored;
  over_ = true;
  client_.socket().cancel(ignored);
  http::Refusal refusal = ticket_->refusal.value_or(http::InstanceLost());
  if (client_spoke_) refusal = http::BadRequest(400, "bytes were sent before the 101");
  if (client_left_) {  // H14: told in the log only
    refusal = {0, 499, std::string(ReasonName(Reason::kRequestCanceled)), "the client left", 0};
  }
  co_await Refuse(std::move(refusal));
}

net::awaitable<Handshake::Tried> Handshake::Try(const v1::Free& instance) {
  Broker& broker = parts_.broker;
  const std::string uid = instance.pod_uid();
  net::error_code error;
  const auto endpoint = net::ParseEndpoint(instance.address());
  // Of the same function whatever has become of its address, with the settings that hold now.
  route::Match match = match_;
  match.route = broker.routes().Find(function_key_);
  if (!endpoint || match.route == nullptr) {
    broker.NotTaken(uid, request_id_, v1::NotTaken::UNREACHABLE);
    co_return Tried::kNext;
  }
  const Broker::Dialling dialling(broker);
  sidecar_ = Socket(parts_.io);
  std::optional<net::Deadline> deadline(std::in_place, sidecar_, kDialTime);
  co_await sidecar_.async_connect(*endpoint, net::Await(error));
  if (error || deadline->passed()) co_return LostSidecar(instance, false);
  net::TuneForInside(sidecar_);
  const std::string head = ForwardHead(request_, match, peer_, request_id_, instance, UnixMicros());
  co_await boost::asio::async_write(sidecar_, boost::asio::buffer(head), net::Await(error));

  std::string bytes;
  bool taken = false;
  int status = 0;
  std::array<char, 4096> part;
  while (true) {
    if (deadline->passed()) {
      const Tried lost = LostSidecar(instance, taken);
      co_return taken ? Tried::kStuck : lost;
    }
    const auto size = http::HeadSize(bytes);
    if (!size) {
      std::size_t n = 0;
      if (bytes.size() < kMaxAnswerHeadBytes) {
        n = co_await sidecar_.async_read_some(boost::asio::buffer(part), net::Await(error));
      }
      if (deadline->passed()) continue;
      if (error || n == 0) co_return LostSidecar(instance, taken);
      bytes.append(part.data(), n);
      continue;
    }
    const absl::StatusOr<http::AnswerHead> answer = http::ParseAnswerHead(bytes.substr(0, *size));
    if (!answer.ok()) co_return LostSidecar(instance, taken);  // no sidecar of ours says that
    const std::string_view says = answer->fields.Find("X-Wsf-Sidecar").value_or("");
    if (says == "taken") {
      // It ends what waits for the client too: one that takes no 103 holds nobody up.
      deadline.emplace(sidecar_, TimeOf(*match.route) + kTakenMargin, &client_.socket());
      taken = true;
      broker.Taken(instance, request_id_, peer_.ip);
      bytes.erase(0, *size);
      continue;
    }
    if (const auto why = WhyNotTaken(says)) {
      broker.NotTaken(uid, request_id_, *why);
      co_return Tried::kNext;
    }
    const bool interim = answer->status < 200 && answer->status != 101;
    if (interim) {
      const std::string interim_head = bytes.substr(0, *size);
      co_await client_.WriteAll(interim_head, error);
      bytes.erase(0, *size);
      continue;
    }
    status = answer->status;
    break;
  }
  over_ = true;
  client_.socket().cancel(error);
  StartTunnel(std::move(sidecar_), instance, bytes, status);
  co_return Tried::kOver;
}

Handshake::Tried Handshake::LostSidecar(const v1::Free& instance, bool taken) {
  net::error_code ignored;
  sidecar_.close(ignored);
  if (!taken) {
    parts_.broker.NotTaken(instance.pod_uid(), request_id_, v1::NotTaken::UNREACHABLE);
    return Tried::kNext;
  }
  parts_.broker.SessionEnded(
      instance.pod_uid(), request_id_,
      client_left_ ? v1::SessionEnded::LOST_SIDE_TO_CLIENT : v1::SessionEnded::LOST_SIDE_TO_SERVER,
      0);
  return Tried::kLostAfterTaken;
}

void Handshake::StartTunnel(Socket sidecar, const v1::Free& instance, const std::string& early,
                            int status) {
  const std::int64_t established = status == 101 ? UnixMicros() : 0;
  if (established != 0) {
    parts_.on_established(ticket_->waited ? Parts::Start::kCold : Parts::Start::kWarm,
                          std::chrono::microseconds(established - ticket_->since));
  }
  Broker& broker = parts_.broker;
  observe::Log(observe::Level::kInfo, "connected",
               {{"request_id", request_id_},
                {"function", function_key_},
                {"podUid", instance.pod_uid()},
                {"instance", instance.address()}});
  client_.Add(broker.OpenTunnel());
  const auto tunnel = std::make_shared<tunnel::Tunnel>(
      std::move(client_), std::move(sidecar), &parts_.buffer,
      [&broker, uid = instance.pod_uid(), id = request_id_,
       established](tunnel::Tunnel::Lost lost) {
        broker.SessionEnded(uid, id,
                            lost == tunnel::Tunnel::Lost::kToClient
                                ? v1::SessionEnded::LOST_SIDE_TO_CLIENT
                                : v1::SessionEnded::LOST_SIDE_TO_SERVER,
                            established);
      });
  tunnel->Start(early);
}

net::awaitable<void> Handshake::Refuse(http::Refusal refusal) {
  parts_.on_refused(refusal, request_id_);
  if (refusal.http_status == 0) co_return;
  co_await net::SendAndClose(std::move(client_), http::RefusalAnswer(refusal, request_id_));
}

}  // namespace wsf::front
