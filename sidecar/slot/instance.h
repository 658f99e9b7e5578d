// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/net/await.h"
#include "common/net/head_reader.h"
#include "sidecar/relay/relay.h"
#include "sidecar/report/journal.h"
#include "sidecar/report/reporter.h"
#include "sidecar/slot/control.h"
#include "sidecar/slot/listen_probe.h"
#include "sidecar/slot/session.h"
#include "sidecar/slot/slot.h"

namespace wsf::slot {

struct InstanceOptions {
  std::string pod_uid;
  std::string advertised_address;  ///< ip:port told to the operator
  ServerPort server;
  std::string ready_path;  ///< "" = listening is enough
};

/// One instance's life: waits for the server's port, reports it, answers claims and control
/// requests, carries its sessions, reports their ends and says when the process may exit.
///
/// Threading: confined to the io_context's one thread.
class Instance {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Endpoint = boost::asio::ip::tcp::endpoint;

  /// `on_over` is called once, when nothing is left to do.
  Instance(boost::asio::io_context& io, InstanceOptions options, report::Reporter* reporter,
           report::TerminationMessage* termination_message, std::function<void()> on_over);

  /// Starts to look for the server's port.
  void Start();

  /// SIGTERM: admits nobody any more, ends live sessions with 499 (P15, P16), then is over.
  void Terminate();

  /// One connection to the relay port whose head has arrived.
  net::awaitable<void> Serve(Socket client, net::HeadBytes bytes);

 private:
  net::awaitable<void> WatchPort();
  net::awaitable<void> WaitUntilListening();
  net::awaitable<bool> IsReady(Endpoint server);
  net::awaitable<void> ReportListening();
  /// Tells the operator that the port listens; whether it has given a claim token.
  net::awaitable<bool> FetchToken();
  net::awaitable<void> RenewToken();
  net::awaitable<void> AwaitRenewal();
  /// Somebody knows another claim token than ours: the operator's keys may have been replaced.
  void Doubt();
  net::awaitable<void> ReportEnded(v1::SessionRecord record);
  /// Holds the caller while the port listens but the claim token is still on its way.
  net::awaitable<void> AwaitToken();
  net::awaitable<void> Carry(Socket client, http::RequestHead head);
  net::awaitable<void> Control(Socket client, http::RequestHead head);
  net::awaitable<void> Sleep(std::chrono::milliseconds time);
  std::string ControlAnswer(const http::RequestHead& head);
  std::string EndSessions(const ControlRequest& request);
  void Over();
  void OverIfDone();

  boost::asio::io_context& io_;
  const InstanceOptions options_;
  report::Reporter* const reporter_;
  report::Journal journal_;
  std::function<void()> on_over_;
  Slot slot_;
  ListenProbe probe_;
  std::unique_ptr<relay::ReadBuffer> buffer_;
  const TimePoint started_ = std::chrono::steady_clock::now();
  Endpoint server_address_;
  int held_ = 0;  // callers that wait for a token
  int reporting_ = 0;
  int sending_ = 0;                        // of these, not acknowledged yet
  std::chrono::milliseconds init_time_{};  // from our start until the port listened
  int lingering_ = 0;                      // connections whose last bytes are still going out
  TimePoint doubted_;                      // for the last time
  bool renewing_ = false;
  bool watching_port_ = false;
  bool terminating_ = false;
  std::map<Session*, std::shared_ptr<Session>> sessions_;
};

}  // namespace wsf::slot
