// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wsf::slot {

/// The one place that decides who may use an instance (invariants I1 and I2): nobody else keeps a
/// record of it, so none can leak, whoever crashes.
///
/// starting -> free -> live -> ending. A free instance whose port has gone is starting again; an
/// instance that ever relayed a byte is never free again.
///
/// Pure; not synchronized.
class Slot {
 public:
  enum class State {
    kStarting,   ///< nothing listens on the server's port
    kListening,  ///< it listens, but the operator has not given the claim token yet
    kFree,
    kLive,
    kEnding,  ///< closed for ever
  };

  /// The answer to a claim; its name goes into X-Wsf-Sidecar.
  enum class Answer { kTaken, kBusy, kStarting, kClosed, kDenied };

  /// The server's port listens. No effect on an instance that is in use or ending.
  void PortListens();
  /// It no longer does. No effect on an instance that is in use or ending.
  void PortGone();
  /// The operator acknowledged Listening.
  void Acknowledge(std::string claim_token);

  /// Whether `token` is the claim token; compared in constant time. False while there is none.
  bool Proves(std::string_view token) const;

  /// Takes one of `concurrency` places. REQUIRES: state() != kListening (hold the caller then).
  Answer Take(std::string_view token, std::uint32_t concurrency);
  /// Undoes a Take that never reached the server (ECONNREFUSED).
  void Undo();
  /// One session has ended; the instance ends with its last (I2).
  void Release();
  /// Closes a slot that is not in use; false when it is live.
  bool Close();
  /// Admits nobody any more, whatever the state: SIGTERM.
  void Shut() { shut_ = true; }

  State state() const { return state_; }
  std::uint32_t live() const { return live_; }

  /// "starting", "free", "live n" or "ending": the answer to a `state` request.
  std::string Describe() const;

 private:
  bool in_use_or_ending() const { return state_ == State::kLive || state_ == State::kEnding; }

  State state_ = State::kStarting;
  std::uint32_t live_ = 0;
  bool shut_ = false;
  bool used_ = false;  // a session has ended here
  std::string claim_token_;
};

/// "taken", "busy", "starting", "closed" or "denied".
std::string_view AnswerName(Slot::Answer answer);

}  // namespace wsf::slot
