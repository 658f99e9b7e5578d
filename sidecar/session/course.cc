// SPDX-License-Identifier: Apache-2.0
#include "sidecar/session/course.h"

#include <algorithm>
#include <utility>

namespace wsf::session {
namespace {

using websocket::Allowance;
using websocket::FrameWalk;

// Without progress; longer lets a peer that has stopped hold its instance (A7).
constexpr auto kLingerTime = std::chrono::seconds(2);
// However slowly it reads: nothing outlives its session for longer (I9).
constexpr auto kLongestLinger = std::chrono::seconds(60);
// A server closes TCP first (RFC 6455 7.1.1); one that does not costs its client this wait.
constexpr auto kServerFinTime = std::chrono::seconds(1);
// A server that reads a message and our Close at once may answer the Close alone. Without us the
// violation would come behind the message, after a while.
constexpr auto kAnswerTime = std::chrono::milliseconds(100);

std::string_view AsText(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Course::Course(Outlet* to_client, Outlet* to_server, const Settings& settings, Clocks clocks,
               std::uint8_t allowed_rsv)
    : client_{Peer::kClient, to_client,
              FrameWalk(FrameWalk::Sender::kClient, allowed_rsv, settings.max_message_bytes), ""},
      server_{Peer::kServer, to_server,
              FrameWalk(FrameWalk::Sender::kServer, allowed_rsv, settings.max_message_bytes), ""},
      settings_(settings),
      clocks_(clocks) {
  if (settings.request_bytes_per_second > 0 || settings.requests_per_second > 0) {
    rate_ = std::make_unique<Rate>(settings.request_bytes_per_second, settings.requests_per_second);
  }
}

void Course::Start(TimePoint now) { clocks_.Established(now); }

// ---- What the owner asks ----

bool Course::Reads(Peer from) const {
  const Side& peer = side(from);
  if (phase_ == Phase::kGone || peer.at_eof) return false;
  if (phase_ == Phase::kLingering) return true;
  const bool throttled = holds() && from == Peer::kClient;
  return !throttled && !side(Other(from)).outlet->blocked();
}

TimePoint Course::NextDeadline() const {
  const TimePoint phase_end = phase_ == Phase::kLive ? clocks_.NextDeadline() : phase_deadline_;
  TimePoint next = holds() ? std::min(phase_end, resume_at_) : phase_end;
  if (to_server_at_) next = std::min(next, *to_server_at_);
  return next;
}

// ---- What happens ----

void Course::OnBytes(Peer from, std::span<const std::uint8_t> bytes, TimePoint now) {
  Side& peer = side(from);
  if (!relays() || peer.sent_close) return;
  peer.rest.clear();
  Take(peer, bytes, now);
}

void Course::OnEof(Peer from, TimePoint now) {
  Side& peer = side(from);
  peer.at_eof = true;
  switch (phase_) {
    case Phase::kLive: return EndWith({EndKind::kLost, from, {}}, now);
    case Phase::kClosing:
      // The answer to the first Close can not come any more.
      if (!peer.sent_close) FinishClosing(CloseHandshake::kNone, now);
      return;
    case Phase::kAwaitingServerFin:
      if (from == Peer::kServer) Linger(now);
      return;
    case Phase::kLingering: return CheckGone(now);
    case Phase::kGone: return;
  }
}

void Course::OnWritten(Peer to, TimePoint now) {
  Side& peer = side(to);
  if (peer.queued_activity) clocks_.Touch(now);
  if (phase_ == Phase::kLingering || (phase_ == Phase::kClosing && !peer.sent_close)) GoOn(now);
  if (peer.outlet->blocked()) return;
  peer.queued_activity = false;
  if (phase_ == Phase::kLingering) Finish(peer);
  if (phase_ == Phase::kLingering) CheckGone(now);
}

void Course::OnTime(TimePoint now) {
  // First what was held back for a while: a busy machine must not make it look idle.
  if (holds() && now >= resume_at_) Resume(now);
  if (to_server_at_ && now >= *to_server_at_) SayToServer(now);
  switch (phase_) {
    case Phase::kLive:
      clocks_.Looked(now);
      if (const auto kind = clocks_.Check(now)) EndWith({*kind, Peer::kServer, {}}, now);
      return;
    case Phase::kClosing:
      if (now >= phase_deadline_) FinishClosing(CloseHandshake::kTimeout, now);
      return;
    case Phase::kAwaitingServerFin:
      if (now >= phase_deadline_) Linger(now);
      return;
    case Phase::kLingering: {
      const bool server_moves = Moves(server_);
      if (Moves(client_) || server_moves) GoOn(now);
      return CheckGone(now);
    }
    case Phase::kGone: return;
  }
}

void Course::EndBy(EndKind kind, TimePoint now) {
  if (phase_ == Phase::kLive) EndWith({kind, Peer::kServer, {}}, now);
  stop_by_ = std::min(stop_by_, now + kLingerTime);
  phase_deadline_ = std::min(phase_deadline_, stop_by_);
}

// ---- Frames ----

void Course::Take(Side& from, std::span<const std::uint8_t> bytes, TimePoint now) {
  const bool limited = rate_ != nullptr && from.peer == Peer::kClient;
  const Allowance granted = limited ? rate_->Allow(now) : Allowance();
  Allowance left = granted;
  const FrameWalk::Step step = from.walk.Walk(bytes, limited ? &left : nullptr);
  if (limited) rate_->Use({granted.bytes - left.bytes, granted.messages - left.messages}, now);
  if (step.forward_bytes > 0) {
    Forward(other(from), AsText(bytes.first(step.forward_bytes)),
            step.has_data || settings_.idle_counts_control_frames, now);
  }
  const auto rest = bytes.subspan(step.forward_bytes);
  switch (step.event) {
    case FrameWalk::Event::kNone: from.rest.assign(AsText(rest)); return;
    case FrameWalk::Event::kHeld: return Hold(AsText(rest), now);
    case FrameWalk::Event::kClose: return OnClose(from, AsText(rest.first(step.frame_bytes)), now);
    case FrameWalk::Event::kViolation:
      return EndWith({EndKind::kProtocolError, from.peer, {from.walk.violation_code(), ""}}, now);
    case FrameWalk::Event::kTooLarge:
      return EndWith({EndKind::kMessageTooLarge, from.peer, {}}, now);
  }
}

void Course::Forward(Side& to, std::string_view bytes, bool is_activity, TimePoint now) {
  if (to.peer == Peer::kServer) told_server_ = now;
  if (to.outlet->Send(bytes) && is_activity) clocks_.Touch(now);
  if (is_activity && to.outlet->blocked()) to.queued_activity = true;
}

void Course::Hold(std::string_view rest, TimePoint now) {
  if (settings_.on_rate == RateAction::kClose && phase_ == Phase::kLive) {
    return EndWith({EndKind::kTooFast, Peer::kClient, {}}, now);
  }
  client_.rest.assign(rest);
  held_since_ = now;
  resume_at_ = rate_->NextChance(now);
}

void Course::Resume(TimePoint now) {
  throttled_ += now - *std::exchange(held_since_, std::nullopt);
  // A server that is slow itself gets it queued: no more than what one read had brought.
  const std::string rest = std::exchange(client_.rest, "");
  if (relays()) Take(client_, AsBytes(rest), now);
}

void Course::OnClose(Side& from, std::string_view frame, TimePoint now) {
  from.sent_close = true;
  if (!client_broke_it()) Forward(other(from), frame, false, now);
  if (phase_ == Phase::kClosing) return FinishClosing(CloseHandshake::kComplete, now);
  end_ = {EndKind::kClosed, from.peer, from.walk.close()};
  BeginClosing(now);
}

void Course::Enter(Phase phase, TimePoint until, TimePoint now) {
  phase_ = phase;
  phase_until_ = until;
  GoOn(now);
}

// Something has moved: the phase's time begins anew.
void Course::GoOn(TimePoint now) {
  Duration time = settings_.close_timeout;
  if (phase_ == Phase::kAwaitingServerFin) time = kServerFinTime;
  if (phase_ == Phase::kLingering) time = kLingerTime;
  phase_deadline_ = std::min({now + time, phase_until_, stop_by_});
  for (Side* each : {&client_, &server_}) each->unsent = each->outlet->unsent();
}

void Course::BeginClosing(TimePoint now) {
  Enter(Phase::kClosing, std::max(now + settings_.close_timeout, clocks_.end()), now);
}

// ---- The end ----

void Course::EndWith(End end, TimePoint now) {
  if (phase_ == Phase::kClosing) return FinishClosing(CloseHandshake::kNone, now);
  if (phase_ != Phase::kLive) return;
  end_ = std::move(end);
  if (client_broke_it()) {
    // As if the client had closed: the server's answers to what came before still go out.
    client_.sent_close = true;
    BeginClosing(now);
    to_server_at_ = told_server_ + kAnswerTime;
    if (now >= *to_server_at_) SayToServer(now);
    return;
  }
  const Verdict verdict = Judge(end_, settings_);
  Say(server_, verdict.to_server);
  Say(client_, verdict.to_client);
  Decide(CloseHandshake::kNone, now);
  Linger(now);
}

void Course::Say(Side& to, const Goodbye& goodbye) {
  // Within a frame a Close would be read as payload: only the abort is left (behaviour.md 9.3).
  if (goodbye.kind != Goodbye::Kind::kClose || !other(to).walk.at_frame_boundary()) return;
  const auto mask =
      to.peer == Peer::kServer ? websocket::Mask::kMasked : websocket::Mask::kUnmasked;
  to.outlet->Send(websocket::CloseFrame(goodbye.code, goodbye.text, mask));
}

void Course::SayToServer(TimePoint now) {
  to_server_at_.reset();
  Say(server_, Judge(end_, settings_).to_server);
  GoOn(now);
}

void Course::FinishClosing(CloseHandshake handshake, TimePoint now) {
  if (to_server_at_) SayToServer(now);  // it closed by itself, and gets its answer
  const bool broken = client_broke_it();
  if (broken) Say(client_, Judge(end_, settings_).to_client);
  Decide(broken ? CloseHandshake::kNone : handshake, now);
  if (handshake != CloseHandshake::kComplete || server_.at_eof) return Linger(now);
  Enter(Phase::kAwaitingServerFin, now + kServerFinTime, now);
}

void Course::Decide(CloseHandshake handshake, TimePoint now) {
  if (holds()) throttled_ += now - *std::exchange(held_since_, std::nullopt);
  outcome_ = {end_,
              handshake,
              client_.walk.counts(),
              server_.walk.counts(),
              throttled_,
              client_.outlet->is_behind()};
}

void Course::Linger(TimePoint now) {
  Enter(Phase::kLingering, now + kLongestLinger, now);
  client_.rest = server_.rest = "";
  for (Side* each : {&server_, &client_}) {
    if (!each->outlet->blocked()) Finish(*each);
  }
  CheckGone(now);
}

// Some of it is still to come to the peer, and less than before: it reads, if slowly.
bool Course::Moves(Side& to) {
  const std::size_t before = std::exchange(to.unsent, to.outlet->unsent());
  return to.unsent > 0 && to.unsent < before;
}

void Course::Finish(Side& to) {
  if (!std::exchange(to.finished, true)) to.outlet->Finish();
}

void Course::CheckGone(TimePoint now) {
  const bool done = client_.at_eof && server_.at_eof && client_.finished && server_.finished;
  if (done || now >= phase_deadline_) phase_ = Phase::kGone;
}

}  // namespace wsf::session
