// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/http/refusal.h"
#include "common/net/await.h"
#include "gateway/fleet/pool.h"
#include "gateway/route/table.h"
#include "gateway/waiting/queue.h"
#include "wsf/v1/fleet.pb.h"

namespace wsf::front {

/// Brings handshakes and free instances together: what the operator says goes in on one side, held
/// handshakes wait on the other, first in first out.
///
/// Threading: confined to the gateway's thread.
class Broker {
 public:
  struct Options {
    std::string gateway_id;
    std::string default_function;      ///< "<namespace>/<name>" served at /, or ""
    std::size_t max_waiting = 1000;    ///< held handshakes of one function (H30)
    std::optional<Duration> max_wait;  ///< H15; default initTimeout + 5 s
  };
  using Send = std::function<void(v1::FromGateway)>;
  /// A session on its way or established.
  struct Live {
    v1::Taken taken;
    std::string address;  ///< of its sidecar
    std::string claim_token;
  };

  Broker(boost::asio::io_context& io, Options options, Send send);

  // ---- The operator's side ----
  void OnOpen();
  void OnMessage(const v1::ToGateway& message);
  void OnLost();

  // ---- The end of this gateway ----
  const std::map<std::string, Live>& live() const { return live_; }
  bool is_empty() const {
    return live_.empty() && tickets_.empty() && dialling_ == 0 && tunnels_ == 0;
  }
  /// Sessions and tunnels that are not over yet.
  std::size_t open() const { return live_.size() + static_cast<std::size_t>(tunnels_); }
  /// Held by a tunnel while it is open: the last bytes of a session that has ended may still be on
  /// their way to its client.
  std::shared_ptr<void> OpenTunnel() {
    ++tunnels_;
    return {this, [this](void*) { --tunnels_; }};
  }
  /// Tells every held handshake, and from now on whoever would wait.
  void RefuseAll(const http::Refusal& refusal);

  /// A handshake that has an instance and is on its way to it.
  class Dialling {
   public:
    explicit Dialling(Broker& broker) : broker_(broker) { ++broker_.dialling_; }
    ~Dialling() { --broker_.dialling_; }
    Dialling(const Dialling&) = delete;
    Dialling& operator=(const Dialling&) = delete;

   private:
    Broker& broker_;
  };

  // ---- The handshakes' side ----
  /// Whether the operator's routes were seen once.
  bool in_sync() const { return in_sync_; }
  /// Whether a function that has no route here has none: while the operator is away there may be
  /// new ones (H32, never H02).
  bool knows_all() const { return knows_all_; }
  const route::Table& routes() const { return routes_; }

  /// One held handshake. Cancel() makes its Acquire return at once.
  struct Ticket {
    explicit Ticket(boost::asio::io_context& io) : wake(io) {}
    std::string request_id;
    std::string function_key;
    std::int64_t since = 0;
    boost::asio::steady_timer wake;
    bool queued = false;
    bool waited = false;  ///< no instance was free when it came
    TimePoint start;      ///< since when it waits, over all its tries (H15)
    bool cancelled = false;
    std::optional<v1::Free> instance;
    std::optional<http::Refusal> refusal;
    void Cancel() {
      cancelled = true;
      wake.cancel();
    }
  };
  /// Waits until an instance is handed over, the handshake is refused, or it is cancelled; one of
  /// `instance`, `refusal` and `cancelled` is set then.
  net::awaitable<void> Acquire(std::shared_ptr<Ticket> ticket, std::string revision);
  /// The handshake is over without a session: it is no demand any more.
  void Forget(const std::string& request_id);
  /// The instance that a ticket got but did not use goes to the next (H14).
  void GiveBack(const v1::Free& instance);

  /// `client` is its address.
  void Taken(const v1::Free& instance, const std::string& request_id, const std::string& client);
  void NotTaken(const std::string& pod_uid, const std::string& request_id, v1::NotTaken::Why why);
  /// `established`: when the 101 was passed on (Unix microseconds), 0 = it was not.
  void SessionEnded(const std::string& pod_uid, const std::string& request_id,
                    v1::SessionEnded::LostSide lost_side, std::int64_t established);

 private:
  void Dispatch();
  void DispatchFunction(const std::string& function_key);
  /// Held handshakes whose function has gone or refuses now are told so.
  void RefuseUnrouted();
  std::optional<http::Refusal> WhyUnrouted(const std::string& function_key) const;
  void Leave(Ticket* ticket);
  void SendWaiting(const Ticket& ticket);
  Duration MaxWait(const std::string& function_key) const;

  boost::asio::io_context& io_;
  const Options options_;
  const Send send_;
  route::Table routes_;
  fleet::Pool pool_;
  waiting::Queue<Ticket*> queue_;
  boost::asio::steady_timer steal_timer_;
  bool attached_ = false;
  TimePoint lost_since_;
  bool in_sync_ = false;
  bool knows_all_ = false;
  int dialling_ = 0;
  int tunnels_ = 0;
  std::optional<http::Refusal> closed_;  // the end of this gateway
  std::map<std::string, Live> live_;     // by request id
  // By pod uid and request id: a handshake that was tried again (H26) has two ends.
  std::map<std::pair<std::string, std::string>, v1::SessionEnded> unacknowledged_;
  std::map<std::string, Ticket*> tickets_;  // held, by request id
};

}  // namespace wsf::front
