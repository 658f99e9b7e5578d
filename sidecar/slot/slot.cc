// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/slot.h"

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"

namespace wsf::slot {

void Slot::PortListens() {
  if (state_ == State::kStarting) state_ = State::kListening;
}

void Slot::PortGone() {
  if (!in_use_or_ending()) state_ = State::kStarting;
}

void Slot::Acknowledge(std::string claim_token) {
  claim_token_ = std::move(claim_token);
  if (state_ == State::kListening) state_ = State::kFree;
}

bool Slot::Proves(std::string_view token) const {
  return !claim_token_.empty() && EqualInConstantTime(token, claim_token_);
}

Slot::Answer Slot::Take(std::string_view token, std::uint32_t concurrency) {
  if (state_ == State::kStarting || state_ == State::kListening) return Answer::kStarting;
  if (!Proves(token)) return Answer::kDenied;
  if (state_ == State::kEnding || shut_) return Answer::kClosed;
  if (live_ >= concurrency) return Answer::kBusy;
  state_ = State::kLive;
  ++live_;
  return Answer::kTaken;
}

void Slot::Undo() {
  --live_;
  if (live_ == 0) state_ = used_ ? State::kEnding : State::kStarting;
}

void Slot::Release() {
  --live_;
  used_ = true;
  if (live_ == 0) state_ = State::kEnding;
}

bool Slot::Close() {
  if (state_ == State::kLive) return false;
  state_ = State::kEnding;
  return true;
}

std::string Slot::Describe() const {
  switch (state_) {
    case State::kStarting:
    case State::kListening: return "starting";
    case State::kFree: return "free";
    case State::kLive: return absl::StrCat("live ", live_);
    case State::kEnding: return "ending";
  }
  return "";
}

std::string_view AnswerName(Slot::Answer answer) {
  switch (answer) {
    case Slot::Answer::kTaken: return "taken";
    case Slot::Answer::kBusy: return "busy";
    case Slot::Answer::kStarting: return "starting";
    case Slot::Answer::kClosed: return "closed";
    case Slot::Answer::kDenied: return "denied";
  }
  return "";
}

}  // namespace wsf::slot
