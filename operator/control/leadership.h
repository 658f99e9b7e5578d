// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

#include "common/kube/client.h"
#include "operator/kube/election.h"
#include "operator/service/leader.h"

namespace wsf::control {

/// Takes part in the election over the Lease and keeps it renewed; tells the services who leads.
/// `client` is one of its own, so that no other call delays a renewal (faults.md 4).
///
/// Threading: confined to the operator's thread.
class Leadership {
 public:
  struct Callbacks {
    std::function<void(std::int64_t term)> on_elected;  ///< once
    std::function<void()> on_lost;                      ///< the process is to end
  };

  /// The Lease is in namespace `ns`; `leader` is kept up to date and outlives it.
  Leadership(boost::asio::io_context& io, kube::Client* client, const std::string& ns,
             const std::string& identity, kube::Election::Claim claim, service::Leader* leader,
             Callbacks callbacks);

  void Start() { Try(); }
  /// Whether we lead and no other acts as a leader any more.
  bool IsAlone() const { return election_.IsAlone(std::chrono::steady_clock::now()); }
  /// Gives the Lease back; `done` is called when it is, or at once when it is not ours.
  void Release(std::function<void()> done);

 private:
  void Try();
  void Send(const kube::Election::Ask& ask, std::function<void()> done);
  void Judge();

  const std::string path_;
  const std::string identity_;
  kube::Client* const client_;
  kube::Election election_;
  service::Leader* const leader_;
  const Callbacks callbacks_;
  boost::asio::steady_timer timer_;
  bool asking_ = false;
  bool elected_ = false;
};

}  // namespace wsf::control
