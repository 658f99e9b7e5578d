// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/kube/client.h"
#include "common/net/sidecar_client.h"
#include "common/spec/grants.h"
#include "operator/control/budgets.h"
#include "operator/control/early.h"
#include "operator/control/events.h"
#include "operator/control/gateways.h"
#include "operator/control/history.h"
#include "operator/control/lost_labels.h"
#include "operator/control/measures.h"
#include "operator/control/reviewer.h"
#include "operator/control/status_writer.h"
#include "operator/fleet/fleet.h"
#include "operator/instances/pod.h"
#include "operator/keys/keys.h"
#include "operator/kube/informers.h"
#include "operator/ledger/ledger.h"
#include "operator/service/fleet_service.h"
#include "operator/service/instance_service.h"

namespace wsf::control {

struct OperatorOptions {
  std::vector<std::string> namespaces;  ///< whose functions are watched; empty = all
  std::string public_url;               ///< scheme and authority of status.url
  instances::PodTemplate pods;          ///< keys and address are filled in
  Duration surplus = std::chrono::seconds(60);
  int scale_out_per_minute = 500;  ///< H06
  spec::Grants grants;             ///< C7, K11, K22
  bool drains = false;             ///< every function is taken as suspended: --drain-all
};

/// The thin shell around Fleet and Ledger: turns what API, sidecars and gateways say into their
/// events, and their actions into calls. Everything that is decided is decided there. What the API
/// says is taken in operator.cc, what peers say in peers.cc; actions.cc carries out.
///
/// Threading: the public interfaces may be called from any thread and post; all else runs on the
/// io_context's one thread.
class Operator : public service::InstanceHandler, public service::FleetHandler {
 public:
  Operator(boost::asio::io_context& io, kube::Client* client, Measures* measures,
           OperatorOptions options);

  /// What instances started from here on are given; the claim key never changes.
  void SetKeys(const keys::Keys& keys) { keys_ = keys; }
  /// ip:port at which sidecars report.
  void SetAddress(const std::string& address) { address_ = address; }
  /// From here on it acts; `term` is told to gateways (contracts.md, Snapshot).
  /// REQUIRES: SetKeys and SetAddress were called.
  void Start(std::int64_t term);

  const fleet::Fleet& fleet() const { return fleet_; }
  /// Nothing runs any more and every session is in a book.
  bool IsDrained() const;
  /// Takes our finalizer off every pod, accounted or not: the last resort of --drain-all.
  void StripFinalizers();

  void Listening(std::string token, v1::ListeningRequest request, ListeningDone done) override;
  void Ended(std::string token, v1::EndedRequest request, EndedDone done) override;
  void OnMessage(std::shared_ptr<service::GatewayLink> link, v1::FromGateway message) override;
  void OnDetach(std::shared_ptr<service::GatewayLink> link) override;

  /// What GET /sessions answers, on the operator's own thread.
  std::string Sessions(const History::Query& query) const {
    return history_.Describe(fleet_, query);
  }
  /// Ends one live session (P15). `done` is given 204, or 404 when there is none, or 503.
  /// Whose live session that is, "" = nobody's.
  std::string NamespaceOfSession(const std::string& request_id) const;
  void EndSession(const std::string& request_id, std::function<void(int http_status)> done);

 private:
  /// A function's route as it is now.
  v1::ToGateway RouteOf(const spec::Function& function) const;
  void TellRoutes(const std::set<std::string>& function_keys);
  /// Once per generation (K08).
  void TellInvalid(const spec::Function& function);

  // From the API.
  void OnFunctionObject(const kube::Json& object);
  void OnFunctionGone(const std::string& uid);
  void OnPodObject(const kube::Json& object);
  /// The watch does not show it any more: it has gone, or its label has.
  void OnPodUnseen(const std::string& uid);
  void OnPodGone(const std::string& uid);
  /// Somebody has the name of an instance that is to be made: whose is it (K20)?
  void OnNameTaken(const fleet::CreateInstance& action);
  void OnPodsListed();
  // An object that could not be handled: told and counted, and everything else goes on.
  void OnFault(const char* resource, const std::string& name, const std::string& error);

  // From gateways and sidecars.
  /// Whether a report is the pod's own; else what its sidecar is told. When OK, the pod is known.
  void Check(const std::string& token, const std::string& pod_uid,
             std::function<void(grpc::Status)> checked);
  void Take(const std::shared_ptr<service::GatewayLink>& link, const v1::FromGateway& message);
  void SendAll(const std::shared_ptr<service::GatewayLink>& link);
  /// Each answer is counted, none too.
  void AskSidecar(net::ControlRequest request, std::function<void(const net::ControlAnswer&)> done);
  /// Asks every instance whose state is not known; a silent one is asked again.
  void AskStates();
  void AskState(const std::string& uid, std::function<void()> done);
  void AskLater(const std::string& uid);
  /// Every running pod was asked once: from here on gateways are told and heard.
  void Open();

  // Carrying out.
  void Schedule();
  void Reconcile();
  void Do(const fleet::CreateInstance& action);
  void Do(const fleet::DeleteInstance& action);
  void Do(const fleet::DropInstance& action);
  void Do(const fleet::AskState& action);
  void Do(const fleet::CloseInstance& action);
  void Do(const fleet::EndSessions& action);
  void Do(const fleet::TellFree& action);
  void Do(const fleet::TellWithdraw& action);
  void Do(const fleet::TellRefuse& action);
  void Do(const fleet::TellFailure& action);
  void Do(const ledger::LogSession& action);
  void Do(const ledger::LogLate& action);
  void Do(const ledger::LogUncounted& action);
  void Do(const ledger::AckSession& action);
  void Do(const ledger::RemovePod& action);
  void Do(const ledger::RemoveFinalizer& action);
  void Do(const ledger::PutBackFinalizer& action);
  void Do(const ledger::ListPods& action);
  enum class Grace { kOfPod, kEnded };
  void DeletePod(const instances::Pod& pod, Grace grace);
  void WriteStatuses();
  v1::ToGateway Free(const fleet::Instance& instance, const std::string& home, int slots) const;

  boost::asio::io_context& io_;
  kube::Client* const client_;
  Measures* const measures_;
  keys::Keys keys_;
  std::string address_;
  const OperatorOptions options_;
  fleet::Fleet fleet_;
  ledger::Ledger ledger_;
  History history_;
  Gateways gateways_;
  Reviewer reviewer_;
  status::Hosts hosts_;
  StatusWriter statuses_;
  Events events_;
  LostLabels lost_labels_;
  Budgets budgets_;
  kube::Informers functions_;
  kube::Informers pods_;
  boost::asio::steady_timer plan_timer_;
  boost::asio::steady_timer status_timer_;
  std::int64_t term_ = 1;
  bool scheduled_ = false;
  bool pods_listed_ = false;
  bool pods_started_ = false;
  bool open_ = false;
  bool status_scheduled_ = false;
  EarlyMessages early_;                            // until Open()
  std::map<std::string, std::uint64_t> versions_;  // function uid -> the last taken
  std::deque<std::string> gone_;                   // those of versions_ that are gone, oldest first
  std::map<std::string, std::int64_t> invalid_;    // function uid -> generation told
  std::set<std::string> asking_;                   // pod uids whose state is being asked
  std::set<std::string> silent_;              // that gave no answer, and are left alone a while
  Recent<bool> gone_pods_{1000};              // an answer that is older may still come
  std::map<std::string, Grace> deleting_;     // pod uids, and what was asked for
  std::map<std::string, std::string> homes_;  // of told instances: gateway id by pod uid
};

}  // namespace wsf::control
