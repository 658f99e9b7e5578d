// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/instance.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "sidecar/slot/answers.h"
#include "sidecar/slot/control.h"

namespace wsf::slot {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Looking for the port: a query costs 0.006 ms, so often at first, when a start is being waited
// for.
constexpr auto kProbeFast = milliseconds(5);
constexpr auto kProbeSlow = milliseconds(50);
constexpr auto kFastProbing = seconds(1);
constexpr auto kFreeProbe = seconds(1);
constexpr auto kReadyTime = seconds(2);
// While the claim token is on its way (contracts.md).
constexpr int kMaxHeld = 8;
constexpr auto kHoldTime = seconds(5);
constexpr auto kHoldPause = milliseconds(5);
constexpr auto kListeningBackOff = milliseconds(100);
constexpr auto kListeningBackOffMax = seconds(5);
// Whoever reaches the relay's port can guess a token: that costs the operator no more than this.
constexpr auto kDoubtPause = seconds(5);
constexpr auto kRenewalTime = seconds(1);
constexpr auto kEndedBackOff = milliseconds(200);
constexpr auto kEndedBackOffMax = seconds(5);
constexpr auto kEndedTime = seconds(20);
// After an acknowledged end the operator deletes the pod, which comes as SIGTERM.
constexpr auto kTermWait = seconds(5);

}  // namespace

Instance::Instance(boost::asio::io_context& io, InstanceOptions options, report::Reporter* reporter,
                   report::TerminationMessage* termination_message, std::function<void()> on_over)
    : io_(io),
      options_(std::move(options)),
      reporter_(reporter),
      journal_(termination_message),
      on_over_(std::move(on_over)) {}

void Instance::Start() {
  if (!std::exchange(watching_port_, true)) net::Spawn(io_.get_executor(), WatchPort());
}

net::awaitable<void> Instance::Sleep(milliseconds time) {
  boost::asio::steady_timer timer(io_, time);
  net::error_code ignored;
  co_await timer.async_wait(net::Await(ignored));
}

// ---- The server's port ----

net::awaitable<void> Instance::WatchPort() {
  while (slot_.state() == Slot::State::kStarting) {
    co_await WaitUntilListening();
    slot_.PortListens();
    co_await ReportListening();
    while (slot_.state() == Slot::State::kFree) {
      co_await Sleep(kFreeProbe);
      if (slot_.state() == Slot::State::kFree && probe_.Find(options_.server) < 0) slot_.PortGone();
    }
  }
  watching_port_ = false;
}

net::awaitable<void> Instance::WaitUntilListening() {
  const TimePoint fast_until = std::chrono::steady_clock::now() + kFastProbing;
  while (slot_.state() == Slot::State::kStarting) {
    const int found = probe_.Find(options_.server);
    if (found >= 0) {
      server_address_ = Endpoint(options_.server.addresses[static_cast<std::size_t>(found)],
                                 options_.server.port);
      const bool ready = co_await IsReady(server_address_);
      if (ready) co_return;
    }
    milliseconds pause = kProbeSlow;
    if (std::chrono::steady_clock::now() < fast_until) pause = kProbeFast;
    co_await Sleep(pause);
  }
}

net::awaitable<bool> Instance::IsReady(Endpoint server) {
  if (options_.ready_path.empty()) co_return true;
  net::Connection connection{Socket(io_)};
  net::error_code error;
  co_await connection.socket().async_connect(server, net::Await(error));
  if (error) co_return false;
  const std::string request = absl::StrCat(
      "GET ", options_.ready_path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  co_await connection.WriteAll(request, error);
  absl::StatusOr<net::HeadBytes> bytes =
      co_await net::ReadHead(connection, http::kMaxHeadBytes, kReadyTime);
  if (!bytes.ok()) co_return false;
  const absl::StatusOr<http::AnswerHead> answer = http::ParseAnswerHead(bytes->head);
  co_return answer.ok() && answer->status >= 200 && answer->status < 500;
}

net::awaitable<bool> Instance::FetchToken() {
  v1::Report report;
  report.mutable_listening()->set_pod_uid(options_.pod_uid);
  report.mutable_listening()->set_relay_address(options_.advertised_address);
  report.mutable_listening()->set_init_ms(init_time_.count());
  report::Reporter::Answer answer = co_await reporter_->Call(report);
  v1::ListeningResponse response;
  const bool given = answer.verdict == report::Reporter::Verdict::kAcknowledged &&
                     response.ParseFromString(answer.output);
  if (given) slot_.Acknowledge(response.claim_token());
  co_return given;
}

void Instance::Doubt() {
  const TimePoint now = std::chrono::steady_clock::now();
  if (slot_.state() != Slot::State::kFree || now < doubted_ + kDoubtPause) return;
  doubted_ = now;
  net::Spawn(io_.get_executor(), RenewToken());
}

net::awaitable<void> Instance::RenewToken() {
  renewing_ = true;
  co_await FetchToken();
  renewing_ = false;
}

net::awaitable<void> Instance::AwaitRenewal() {
  if (!renewing_ || held_ >= kMaxHeld) co_return;
  ++held_;
  const TimePoint until = std::chrono::steady_clock::now() + kRenewalTime;
  while (renewing_ && std::chrono::steady_clock::now() < until) co_await Sleep(kHoldPause);
  --held_;
}

net::awaitable<void> Instance::ReportListening() {
  init_time_ =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started_);
  milliseconds back_off = kListeningBackOff;
  while (slot_.state() == Slot::State::kListening) {
    const bool given = co_await FetchToken();
    if (given) co_return;
    co_await Sleep(back_off);
    back_off = std::min<milliseconds>(back_off * 2, kListeningBackOffMax);
  }
}

net::awaitable<void> Instance::AwaitToken() {
  if (slot_.state() != Slot::State::kListening || held_ >= kMaxHeld) co_return;
  ++held_;
  const TimePoint until = std::chrono::steady_clock::now() + kHoldTime;
  while (slot_.state() == Slot::State::kListening && std::chrono::steady_clock::now() < until) {
    co_await Sleep(kHoldPause);
  }
  --held_;
}

// ---- Connections ----

net::awaitable<void> Instance::Serve(Socket client, net::HeadBytes bytes) {
  absl::StatusOr<http::RequestHead> head = http::ParseRequestHead(bytes.head);
  if (!head.ok() || IsAmbiguous(head->fields) || !bytes.rest.empty()) {
    co_await net::SendAndClose(std::move(client), SidecarAnswer(400, "denied", ""));
    co_return;
  }
  co_await AwaitToken();
  if (head->fields.Count("X-Wsf-Control") > 0) {
    co_await Control(std::move(client), *std::move(head));
  } else {
    co_await Carry(std::move(client), *std::move(head));
  }
}

net::awaitable<void> Instance::Control(Socket client, http::RequestHead head) {
  co_await net::SendAndClose(std::move(client), ControlAnswer(head));
  OverIfDone();
}

std::string Instance::ControlAnswer(const http::RequestHead& head) {
  if (slot_.state() == Slot::State::kStarting || slot_.state() == Slot::State::kListening) {
    return RefusedAnswer(Slot::Answer::kStarting);
  }
  if (!slot_.Proves(head.fields.Find("X-Wsf-Claim").value_or(""))) {
    Doubt();
    return RefusedAnswer(Slot::Answer::kDenied);
  }
  const absl::StatusOr<ControlRequest> request = ReadControl(head);
  if (!request.ok()) return SidecarAnswer(400, "denied", request.status().message().data());
  switch (request->command) {
    case ControlRequest::Command::kState: return SidecarAnswer(200, "state", slot_.Describe());
    case ControlRequest::Command::kClose: {
      const bool was_ending = slot_.state() == Slot::State::kEnding;
      if (was_ending || !slot_.Close()) return SidecarAnswer(409, "busy", slot_.Describe());
      return SidecarAnswer(204, "closed", "");
    }
    case ControlRequest::Command::kEnd: return EndSessions(*request);
  }
  return "";
}

std::string Instance::EndSessions(const ControlRequest& request) {
  const auto sessions = sessions_;  // ending one removes it
  for (const auto& [key, session] : sessions) {
    const bool meant = request.request_id.empty() || session->request_id() == request.request_id;
    if (meant) session->EndBy(request.reason);
  }
  return SidecarAnswer(204, "ending", "");
}

net::awaitable<void> Instance::Carry(Socket client, http::RequestHead head) {
  if (slot_.state() == Slot::State::kListening) {
    co_await net::SendAndClose(std::move(client), RefusedAnswer(Slot::Answer::kStarting));
    co_return;
  }
  const absl::StatusOr<session::Settings> settings =
      session::DecodeSettings(head.fields.Find("X-Wsf-Settings").value_or(""));
  if (!settings.ok()) {
    co_await net::SendAndClose(
        std::move(client), SidecarAnswer(400, "denied", std::string(settings.status().message())));
    co_return;
  }
  const std::string claim(head.fields.Find("X-Wsf-Claim").value_or(""));
  Slot::Answer answer = slot_.Take(claim, settings->instance_concurrency);
  if (answer == Slot::Answer::kDenied) {
    Doubt();
    // The gateway may know the new token before we do.
    co_await AwaitRenewal();
    if (slot_.state() == Slot::State::kFree) {
      answer = slot_.Take(claim, settings->instance_concurrency);
    }
  }
  if (answer != Slot::Answer::kTaken) {
    co_await net::SendAndClose(std::move(client), RefusedAnswer(answer));
    co_return;
  }
  // Not filled with zeros: only what is read into it costs memory.
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<relay::ReadBuffer>();
  SessionParts parts = {
      io_, probe_, *buffer_, journal_, lingering_, init_time_, [this] { OverIfDone(); }};
  const auto session =
      std::make_shared<Session>(parts, std::move(client), std::move(head), *settings);
  sessions_[session.get()] = session;
  if (terminating_) session->EndBy(session::EndKind::kFunctionStopped);
  std::optional<v1::SessionRecord> record = co_await session->Run(server_address_);
  sessions_.erase(session.get());
  if (record) {
    slot_.Release();
    co_await ReportEnded(*std::move(record));
  } else {
    slot_.Undo();
    if (slot_.state() == Slot::State::kStarting) Start();
  }
  OverIfDone();
}

// ---- The end ----

net::awaitable<void> Instance::ReportEnded(v1::SessionRecord record) {
  ++reporting_;
  v1::Report report;
  report.mutable_ended()->set_pod_uid(options_.pod_uid);
  *report.mutable_ended()->mutable_record() = std::move(record);
  v1::InstanceTotals* const totals = report.mutable_ended()->mutable_instance_totals();
  *totals = journal_.TotalsAt(std::chrono::steady_clock::now());
  totals->set_open(slot_.live());  // those too that have ended and whose client is slow
  const TimePoint give_up = std::chrono::steady_clock::now() + kEndedTime;
  // With the last one the operator lets the instance go: those of other sessions go first.
  const bool is_last = totals->open() == 0;
  while (is_last && sending_ > 0 && std::chrono::steady_clock::now() < give_up) {
    co_await Sleep(kHoldPause);
  }
  ++sending_;
  milliseconds back_off = kEndedBackOff;
  while (true) {
    report::Reporter::Answer answer = co_await reporter_->Call(report);
    if (answer.verdict != report::Reporter::Verdict::kTryAgain) break;
    if (std::chrono::steady_clock::now() + back_off > give_up) break;
    co_await Sleep(back_off);
    back_off = std::min<milliseconds>(back_off * 2, kEndedBackOffMax);
  }
  --sending_;
  const TimePoint leave = std::chrono::steady_clock::now() + kTermWait;
  while (slot_.state() == Slot::State::kEnding && !terminating_ &&
         std::chrono::steady_clock::now() < leave) {
    co_await Sleep(milliseconds(50));
  }
  --reporting_;
}

void Instance::Terminate() {
  terminating_ = true;
  slot_.Shut();
  const auto sessions = sessions_;
  for (const auto& [key, session] : sessions) session->EndBy(session::EndKind::kFunctionStopped);
  OverIfDone();
}

void Instance::OverIfDone() {
  const bool ending = slot_.state() == Slot::State::kEnding || terminating_;
  if (ending && sessions_.empty() && reporting_ == 0 && lingering_ == 0) Over();
}

void Instance::Over() {
  if (on_over_ != nullptr) std::exchange(on_over_, nullptr)();
}

}  // namespace wsf::slot
