// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/http/head.h"
#include "common/net/await.h"
#include "sidecar/relay/relay.h"
#include "sidecar/report/journal.h"
#include "sidecar/session/settings.h"
#include "sidecar/slot/handshake.h"
#include "sidecar/slot/listen_probe.h"
#include "wsf/v1/record.pb.h"

namespace wsf::slot {

/// What a session uses of its instance. Everything outlives it.
struct SessionParts {
  boost::asio::io_context& io;
  ListenProbe& probe;
  relay::ReadBuffer& buffer;
  report::Journal& journal;
  int& lingering;                       ///< counts connections whose last bytes are going out
  std::chrono::milliseconds init_time;  ///< of the instance, for the record
  std::function<void()> on_lingered;    ///< one of them has ended
};

class Event;

/// One claim of the slot, from the handshake to the record.
///
/// Threading: confined to the sidecar's thread.
class Session {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Endpoint = boost::asio::ip::tcp::endpoint;

  Session(SessionParts parts, Socket client, http::RequestHead head,
          const session::Settings& settings);

  const std::string& request_id() const { return request_id_; }

  /// Passes the handshake, relays, and returns the record once the verdict stands and the client
  /// has been sent all that was for it; nothing when the server's port refused before anything was
  /// forwarded.
  net::awaitable<std::optional<v1::SessionRecord>> Run(Endpoint server);

  /// Ends it from the platform's side, at whatever point it is.
  void EndBy(session::EndKind kind);

 private:
  net::awaitable<void> Relay(HandshakeResult handshake, v1::SessionRecord* record);
  /// Says goodbye to the client in the background.
  void Dismiss(std::string last_words);

  SessionParts parts_;
  Socket client_;
  Socket server_;
  session::Settings settings_;
  std::string request_id_;
  TimePoint start_;
  TimePoint over_;
  std::int64_t start_wall_;
  Endpoint server_address_;
  std::unique_ptr<Handshake> handshake_;
  std::shared_ptr<relay::Relay> relay_;
  std::shared_ptr<Event> gone_;  // of a client that is behind
};

}  // namespace wsf::slot
