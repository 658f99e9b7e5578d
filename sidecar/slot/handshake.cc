// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/handshake.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/http/body_end.h"
#include "common/http/refusal.h"
#include "common/net/deadline.h"
#include "common/net/head_reader.h"
#include "common/net/tuning.h"

namespace wsf::slot {

using session::HandshakeEnd;

namespace {

constexpr std::size_t kMaxAnswerHeadBytes = 64 * 1024;
constexpr auto kLastWordsTime = std::chrono::seconds(2);

bool MayBeHttp(std::string_view bytes) {
  constexpr std::string_view kStart = "HTTP/";
  const std::size_t n = std::min(bytes.size(), kStart.size());
  return bytes.substr(0, n) == kStart.substr(0, n);
}

// What the server may not say in the platform's name, and what the platform adds (A18).
void Finish(http::AnswerHead* answer, std::string_view request_id) {
  answer->fields.RemoveIf(
      [](const http::Field& field) { return http::IsPlatformField(field.name); });
  if (!request_id.empty()) answer->fields.Add("X-Wsf-Request-Id", request_id);
}

// Passed on while the waiting goes on (H17).
bool IsInterim(int status) { return status == 100 || status == 102 || status == 103; }

}  // namespace

Handshake::Handshake(Socket& client, Socket& server, http::RequestHead head)
    : client_(client),
      server_(server),
      head_(std::move(head)),
      offer_(http::OfferOf(head_)),
      request_id_(head_.fields.Find("X-Wsf-Request-Id").value_or("")),
      timer_(client.get_executor()) {}

net::awaitable<HandshakeResult> Handshake::Run(boost::asio::ip::tcp::endpoint server_address,
                                               std::chrono::milliseconds time_left,
                                               ListenProbe* probe) {
  probe_ = probe;
  server_address_ = server_address;
  timer_.expires_after(time_left);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const net::error_code& error) {
    if (!error && !alive.expired()) Stop({HandshakeEnd::Kind::kTimedOut});
  });
  net::error_code error = boost::asio::error::operation_aborted;
  if (!stopped_) {
    co_await server_.async_connect(server_address, net::Await(error));
  }
  if (error && !stopped_) {
    HandshakeResult refused;
    refused.kind = HandshakeResult::Kind::kNotStarted;
    co_return refused;
  }
  if (!error) {
    net::TuneForServer(server_);
    WatchClient();
    head_.fields.Remove("X-Wsf-Claim");
    head_.fields.Remove("X-Wsf-Settings");
    const std::string text = http::Write(head_);
    co_await boost::asio::async_write(server_, boost::asio::buffer(text), net::Await(error));
  }
  HandshakeResult result = co_await PassAnswer();
  timer_.cancel();
  client_.cancel(error);
  co_return result;
}

void Handshake::Stop(HandshakeEnd why) {
  if (stopped_) return;
  stopped_ = std::move(why);
  net::error_code ignored;
  server_.close(ignored);
  client_.cancel(ignored);  // a client that reads nothing must not hold up the end
}

void Handshake::WatchClient() {
  client_.async_wait(Socket::wait_read,
                     [this, alive = std::weak_ptr<bool>(alive_)](const net::error_code& error) {
                       if (!error && !alive.expired()) Stop({HandshakeEnd::Kind::kClientLeft});
                     });
}

net::awaitable<std::string> Handshake::ReadAnswerHead() {
  net::error_code error;
  std::array<char, 4096> part;
  while (true) {
    if (const auto size = http::HeadSize(pending_)) {
      if (*size > kMaxAnswerHeadBytes) co_return "";
      std::string head = pending_.substr(0, *size);
      pending_.erase(0, *size);
      co_return head;
    }
    if (!MayBeHttp(pending_) || pending_.size() > kMaxAnswerHeadBytes) co_return "";
    const std::size_t n =
        co_await server_.async_read_some(boost::asio::buffer(part), net::Await(error));
    if (error) co_return "";
    pending_.append(part.data(), n);
  }
}

net::awaitable<HandshakeResult> Handshake::PassAnswer() {
  while (true) {
    std::string raw = co_await ReadAnswerHead();
    if (raw.empty()) {
      HandshakeResult broken = co_await Broken("it closed the connection or does not speak HTTP");
      co_return broken;
    }
    absl::StatusOr<http::AnswerHead> answer = http::ParseAnswerHead(raw);
    if (!answer.ok()) {
      HandshakeResult broken = co_await Broken(std::string(answer.status().message()));
      co_return broken;
    }
    if (answer->status == 101) {
      const absl::Status valid = http::CheckSwitchingProtocols(*answer, offer_);
      if (!valid.ok()) {
        HandshakeResult broken = co_await Broken(std::string(valid.message()));
        co_return broken;
      }
      HandshakeResult result;
      result.kind = HandshakeResult::Kind::kEstablished;
      result.answer = *std::move(answer);
      result.early = std::move(pending_);
      result.answer.fields.Remove("Content-Length");  // 0, and nothing that a 101 has
      Finish(&result.answer, request_id_);
      co_await SendToClient(http::Write(result.answer));
      if (!stopped_) co_return result;
      // Stopped while the 101 went out: the server's connection is closed already.
      stopped_->http_status = 101;
      HandshakeResult stopped = co_await Ended(*stopped_);
      co_return stopped;
    }
    if (answer->status >= 200) {
      HandshakeResult refused = co_await PassRefusal(std::move(raw), *std::move(answer));
      co_return refused;
    }
    if (!IsInterim(answer->status)) {
      HandshakeResult broken = co_await Broken("its status is none that HTTP knows");
      co_return broken;
    }
    Finish(&*answer, "");  // passed on, the waiting goes on
    co_await SendToClient(http::Write(*answer));
    if (stopped_) pending_.clear();  // what else has come goes nowhere
  }
}

net::awaitable<HandshakeResult> Handshake::PassRefusal(std::string raw_head,
                                                       http::AnswerHead answer) {
  const int status = answer.status;
  http::BodyEnd end;
  end.Take(raw_head);
  http::DropHopByHop(&answer.fields);
  Finish(&answer, request_id_);
  answer.fields.Add("Connection", "close");
  bool sent = co_await SendToClient(http::Write(answer));
  std::array<char, 16384> part;
  net::error_code error;
  std::string bytes = std::move(pending_);
  while (sent && !error) {
    bytes.resize(end.Take(bytes));
    if (!bytes.empty()) sent = co_await SendToClient(std::move(bytes));
    if (end.done()) break;
    const std::size_t n =
        co_await server_.async_read_some(boost::asio::buffer(part), net::Await(error));
    bytes.assign(part.data(), n);
  }
  const bool complete = sent && end.done();
  HandshakeEnd how = {HandshakeEnd::Kind::kAnswered};
  if (stopped_ && !complete) how = *stopped_;
  how.http_status = status;  // it has been sent
  HandshakeResult result = co_await Ended(std::move(how));
  co_return result;
}

net::awaitable<bool> Handshake::SendToClient(std::string text) {
  if (stopped_ && stopped_->kind == HandshakeEnd::Kind::kClientLeft) co_return false;
  // Last words must not wait for a client that reads nothing: no other end is left to come.
  std::optional<net::Deadline> deadline;
  if (stopped_) deadline.emplace(client_, kLastWordsTime);
  net::error_code error;
  co_await boost::asio::async_write(client_, boost::asio::buffer(text), net::Await(error));
  co_return !error;
}

net::awaitable<HandshakeResult> Handshake::Broken(std::string what) {
  HandshakeEnd end;
  if (stopped_) {
    end = *stopped_;
  } else {
    const bool exited = co_await HasExited(*probe_, server_address_);
    end.kind = exited ? HandshakeEnd::Kind::kServerExited : HandshakeEnd::Kind::kBroken;
    end.what = std::move(what);
  }
  HandshakeResult result = co_await Ended(std::move(end));
  co_return result;
}

net::awaitable<HandshakeResult> Handshake::Ended(HandshakeEnd end) {
  HandshakeResult result;
  result.verdict = session::JudgeHandshake(end);
  if (result.verdict.refusal) {
    co_await SendToClient(http::RefusalAnswer(*result.verdict.refusal, request_id_));
  }
  co_return result;
}

}  // namespace wsf::slot
