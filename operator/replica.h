// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "common/kube/kubeconfig.h"
#include "common/net/pages.h"
#include "operator/control/admin_server.h"
#include "operator/control/leadership.h"
#include "operator/control/measures.h"
#include "operator/control/operator.h"
#include "operator/control/permit.h"
#include "operator/flags.h"
#include "operator/keys/key_store.h"
#include "operator/kube/patient_client.h"
#include "operator/port.h"

namespace wsf::control {

/// One process of wsf-operator, put together: keys, ports, election, and the Operator that acts
/// once this replica leads. A replica that does not lead answers on all its ports and points to the
/// one that does (contracts.md, "Two listeners of the operator").
///
/// Ends the process by itself: 0 after SIGTERM or a finished --drain-all, 1 when the Lease is lost.
///
/// Threading: confined to the thread that runs `io`; the guards of the ports have one of their own.
class Replica {
 public:
  Replica(boost::asio::io_context& io, const Flags& flags, const kube::Access& access);

  /// Takes the addresses; InvalidArgument says which cannot be had. All else is tried until it
  /// succeeds: the API, the Secrets and the name to advertise may come later.
  absl::Status Start();

 private:
  static OperatorOptions OptionsOf(const Flags& flags);
  std::string Identity() const;
  net::awaitable<void> Resolve();
  void CheckVersion();
  void OnKeys(const keys::Keys& keys);
  void OnElected(std::int64_t term);
  void OnSignal();
  absl::Status ListenForPeople();
  std::string Metrics();
  /// --drain-all: looks whether all is done, until it is.
  void AwaitDrained(TimePoint until);

  boost::asio::io_context& io_;
  const Flags flags_;
  Measures measures_;
  kube::PatientClient client_;
  const std::unique_ptr<kube::Client> lease_client_;
  service::Leader leader_;
  Operator operator_;
  service::InstanceService instance_service_;
  service::FleetService fleet_service_;
  boost::asio::io_context guard_io_;
  Port sidecar_port_;
  Port gateway_port_;
  keys::KeyStore keys_;
  Leadership leadership_;
  Permit permit_;
  AdminServer admin_;
  net::PagePort probes_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  bool open_ = false;                            // the ports
  std::optional<net::Acceptor> admin_acceptor_;  // until the keys are there
  std::thread guard_thread_;
};

}  // namespace wsf::control
