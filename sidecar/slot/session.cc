// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/base/text.h"
#include "common/net/head_reader.h"
#include "common/net/tuning.h"
#include "sidecar/slot/answers.h"

namespace wsf::slot {
namespace {

using std::chrono::milliseconds;

std::int64_t MillisBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<milliseconds>(to - from).count();
}

std::string_view HandshakeName(session::CloseHandshake handshake) {
  switch (handshake) {
    case session::CloseHandshake::kNone: return "none";
    case session::CloseHandshake::kComplete: return "complete";
    case session::CloseHandshake::kTimeout: return "timeout";
  }
  return "";
}

void SetTraffic(const websocket::Counts& counts, v1::Traffic* traffic) {
  traffic->set_messages(counts.messages);
  traffic->set_bytes(counts.bytes);
  traffic->set_control_frames(counts.control_frames);
}

void SetEnd(int code, Reason reason, Party closed_by, v1::SessionRecord* record) {
  record->set_status_code(code);
  record->set_status(code == 200 ? "success" : "failure");
  record->set_reason(std::string(ReasonName(reason)));
  record->set_closed_by(std::string(PartyName(closed_by)));
}

net::awaitable<void> Linger(SessionParts parts, Session::Socket client, std::string last_words) {
  co_await net::SendAndClose(std::move(client), std::move(last_words));
  --parts.lingering;
  parts.on_lingered();
}

}  // namespace

// Lets a coroutine wait for a callback.
class Event {
 public:
  explicit Event(boost::asio::io_context& io) : timer_(io, TimePoint::max()) {}
  void Set() {
    set_ = true;
    timer_.cancel();
  }
  net::awaitable<void> Wait() {
    net::error_code ignored;
    if (!set_) co_await timer_.async_wait(net::Await(ignored));
  }

 private:
  bool set_ = false;
  boost::asio::steady_timer timer_;
};

Session::Session(SessionParts parts, Socket client, http::RequestHead head,
                 const session::Settings& settings)
    : parts_(parts),
      client_(std::move(client)),
      server_(parts.io),
      settings_(settings),
      request_id_(head.fields.Find("X-Wsf-Request-Id").value_or("")),
      start_(std::chrono::steady_clock::now()),
      start_wall_(UnixMicros()),
      handshake_(std::make_unique<Handshake>(client_, server_, std::move(head))) {
  parts_.journal.Claimed(request_id_, start_wall_);
}

net::awaitable<std::optional<v1::SessionRecord>> Session::Run(Endpoint server) {
  server_address_ = server;
  net::error_code error;
  net::TuneForInside(client_);
  const std::string taken = SidecarAnswer(102, "taken", "");
  co_await boost::asio::async_write(client_, boost::asio::buffer(taken), net::Await(error));
  const auto time_left = std::min(settings_.handshake_timeout, settings_.execution_timeout);
  HandshakeResult result = co_await handshake_->Run(server, time_left, &parts_.probe);
  handshake_.reset();
  if (result.kind == HandshakeResult::Kind::kNotStarted) {
    parts_.journal.Undone(request_id_);
    Dismiss(RefusedAnswer(Slot::Answer::kStarting));
    co_return std::nullopt;
  }
  v1::SessionRecord record;
  record.set_request_id(request_id_);
  record.set_request_start(start_wall_);
  record.set_init_ms(parts_.init_time.count());
  if (result.kind == HandshakeResult::Kind::kEstablished) {
    record.set_http_status(101);
    co_await Relay(std::move(result), &record);
  } else {
    const session::HandshakeVerdict& verdict = result.verdict;
    SetEnd(verdict.status_code, verdict.reason, verdict.closed_by, &record);
    record.set_http_status(verdict.http_status);
    record.set_message(verdict.message);
    over_ = std::chrono::steady_clock::now();
    record.set_ended(UnixMicros());
    Dismiss("");
  }
  record.set_duration_ms(MillisBetween(start_, over_));
  parts_.journal.Ended(record, over_);
  // With the report the instance is let go, and with it what its slow client has not read yet.
  if (gone_ != nullptr) co_await gone_->Wait();
  relay_.reset();
  co_return record;
}

void Session::Dismiss(std::string last_words) {
  ++parts_.lingering;
  net::Spawn(parts_.io.get_executor(), Linger(parts_, std::move(client_), std::move(last_words)));
}

net::awaitable<void> Session::Relay(HandshakeResult handshake, v1::SessionRecord* record) {
  const TimePoint established = std::chrono::steady_clock::now();
  record->set_established(UnixMicros());
  parts_.journal.Established(request_id_, established, record->established());
  const http::Fields& fields = handshake.answer.fields;
  if (settings_.record_subprotocol) {
    record->set_subprotocol(ToUtf8(fields.Find("Sec-WebSocket-Protocol").value_or("")));
  }
  record->set_extensions(ToUtf8(fields.Find("Sec-WebSocket-Extensions").value_or("")));

  const auto ended = std::make_shared<Event>(parts_.io);
  session::Outcome outcome;
  relay::Relay::Callbacks callbacks;
  callbacks.on_end = [&outcome, ended](const session::Outcome& result) {
    outcome = result;
    ended->Set();
  };
  ++parts_.lingering;
  const auto gone = std::make_shared<Event>(parts_.io);
  callbacks.on_gone = [parts = parts_, gone] {
    --parts.lingering;
    gone->Set();
    parts.on_lingered();
  };
  relay_ = std::make_shared<relay::Relay>(
      std::move(client_), std::move(server_), settings_,
      session::Clocks(start_, settings_.idle_timeout, settings_.execution_timeout),
      http::AllowedRsv(handshake.answer), &parts_.buffer, std::move(callbacks));
  relay_->Start(handshake.early);
  co_await ended->Wait();
  if (outcome.client_is_behind) {
    gone_ = gone;
  } else {
    relay_.reset();  // it lingers by itself
  }

  over_ = std::chrono::steady_clock::now();
  record->set_ended(UnixMicros());
  record->set_billed_ms(MillisBetween(established, over_));
  const bool server_lost =
      outcome.end.kind == session::EndKind::kLost && outcome.end.peer == session::Peer::kServer;
  bool exited = false;
  if (server_lost) exited = co_await HasExited(parts_.probe, server_address_);
  if (exited) outcome.end.kind = session::EndKind::kServerExited;
  const session::Verdict verdict = session::Judge(outcome.end, settings_);
  SetEnd(verdict.status_code, verdict.reason, verdict.closed_by, record);
  record->set_close_code(verdict.close_code);
  record->set_close_reason(outcome.end.close.reason);
  record->set_close_handshake(std::string(HandshakeName(outcome.close_handshake)));
  record->set_throttled_ms(std::chrono::duration_cast<milliseconds>(outcome.throttled).count());
  SetTraffic(outcome.to_server, record->mutable_to_server());
  SetTraffic(outcome.to_client, record->mutable_to_client());
}

void Session::EndBy(session::EndKind kind) {
  if (handshake_ != nullptr) handshake_->Cancel(kind);
  if (relay_ != nullptr) relay_->EndBy(kind);
}

}  // namespace wsf::slot
