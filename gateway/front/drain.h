// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <set>
#include <string>

#include "gateway/front/broker.h"

namespace wsf::front {

/// How a gateway stops (P20, H31). It leaves: it says that it is not ready, and serves whom load
/// balancers still send, for the lame-duck time. It drains: new handshakes are refused, sessions
/// may go on for the drain time. It ends: what is left gets 1012, and `on_over` is called when none
/// is left, or when for 5 s no sidecar was told and no session ended.
///
/// Threading: confined to the gateway's thread.
class Drain {
 public:
  Drain(boost::asio::io_context& io, Broker& broker, std::function<void()> on_over)
      : io_(io), broker_(broker), on_over_(std::move(on_over)), timer_(io) {}

  bool is_leaving() const { return stage_ != Stage::kServing; }
  bool is_draining() const { return stage_ == Stage::kDraining; }
  struct Times {
    Duration lame_duck{};
    Duration drain{};
  };
  /// The second call ends both times at once.
  void Begin(Times times);

 private:
  enum class Stage { kServing, kLeaving, kDraining };
  void Start(Duration drain_time);
  void Await(TimePoint until, std::function<void()> then);
  /// Ends what is live, and what becomes live meanwhile, until nothing is left.
  void EndSessions();
  /// Asks the sidecars of those that are to be told, a few at a time.
  void TellMore();

  boost::asio::io_context& io_;
  Broker& broker_;
  const std::function<void()> on_over_;
  boost::asio::steady_timer timer_;
  Stage stage_ = Stage::kServing;
  TimePoint until_;                  // for the goodbyes to reach their clients
  std::set<std::string> told_;       // request ids of the sessions that are being ended
  std::deque<std::string> to_tell_;  // of those whose sidecars are to be asked
  std::size_t open_ = 0;             // sessions and tunnels at the last look
  std::size_t asking_ = 0;           // sidecars that have not answered yet
};

}  // namespace wsf::front
