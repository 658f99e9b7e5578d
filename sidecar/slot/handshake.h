// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/base/reason.h"
#include "common/http/handshake.h"
#include "common/http/head.h"
#include "common/net/await.h"
#include "sidecar/session/handshake_verdict.h"
#include "sidecar/slot/listen_probe.h"

namespace wsf::slot {

/// How the passing of a handshake to the server ended.
struct HandshakeResult {
  enum class Kind {
    kEstablished,  ///< a valid 101 was passed on
    kNotStarted,   ///< the server's port refused: nothing was forwarded, the claim can be undone
    kEnded,        ///< answered otherwise, or broken off: rows H16 to H22
  };
  Kind kind = Kind::kEnded;
  session::HandshakeVerdict verdict;  ///< only for kEnded
  http::AnswerHead answer;            ///< only for kEstablished
  std::string early;                  ///< what the server sent behind its 101
};

/// Passes one handshake to the server and its answer back (A18, H16 to H22).
///
/// Threading: confined to the sidecar's thread.
class Handshake {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  /// Both sockets must outlive the handshake; `server` is not connected yet.
  Handshake(Socket& client, Socket& server, http::RequestHead head);

  /// Dials `server_address` and runs to the end. `time_left` is the handshake timeout (H22);
  /// `probe` tells a server that exited from one that hung up (H19, H20).
  net::awaitable<HandshakeResult> Run(boost::asio::ip::tcp::endpoint server_address,
                                      std::chrono::milliseconds time_left, ListenProbe* probe);

  /// Breaks it off from the platform's side: Run returns what a live session would get for `kind`.
  void Cancel(session::EndKind kind) { Stop({session::HandshakeEnd::Kind::kStopped, 0, kind}); }

 private:
  void Stop(session::HandshakeEnd why);
  void WatchClient();
  /// Reads until a whole head is in `pending_`; its text, or "" when the server is gone or does not
  /// speak HTTP.
  net::awaitable<std::string> ReadAnswerHead();
  net::awaitable<HandshakeResult> PassAnswer();
  net::awaitable<HandshakeResult> PassRefusal(std::string raw_head, http::AnswerHead answer);
  net::awaitable<bool> SendToClient(std::string text);
  net::awaitable<HandshakeResult> Broken(std::string what);
  /// The client is told, where it still is to be.
  net::awaitable<HandshakeResult> Ended(session::HandshakeEnd end);

  Socket& client_;
  Socket& server_;
  http::RequestHead head_;
  http::Offer offer_;
  std::string request_id_;
  ListenProbe* probe_ = nullptr;
  boost::asio::ip::tcp::endpoint server_address_;
  boost::asio::steady_timer timer_;
  std::optional<session::HandshakeEnd> stopped_;  // not by the server
  std::string pending_;                           // of the server's answer
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace wsf::slot
