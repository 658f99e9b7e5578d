// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <set>
#include <string>

#include "common/kube/client.h"
#include "operator/control/gateways.h"
#include "operator/control/history.h"
#include "operator/control/keys.h"
#include "operator/control/reviewer.h"
#include "operator/control/status_writer.h"
#include "operator/fleet/fleet.h"
#include "operator/instances/pod.h"
#include "operator/kube/informer.h"
#include "operator/ledger/ledger.h"
#include "operator/service/fleet_service.h"
#include "operator/service/instance_service.h"

namespace wsf::control {

struct OperatorOptions {
  std::string ns;          ///< whose functions are watched; "" = all
  std::string public_url;  ///< scheme and authority of status.url
  std::string relay_image;
  std::string operator_address;  ///< ip:port told to sidecars
  Duration surplus = std::chrono::seconds(60);
  int scale_out_per_minute = 500;  ///< H06
  spec::Maxima maxima;             ///< C7
};

/// The thin shell around Fleet and Ledger: turns what API, sidecars and gateways say into their
/// events, and their actions into calls. Everything that is decided is decided there. What the API
/// says is taken in operator.cc, what peers say in peers.cc; actions.cc carries out.
///
/// Threading: the public interfaces may be called from any thread and post; all else runs on the
/// io_context's one thread.
class Operator : public service::InstanceHandler, public service::FleetHandler {
 public:
  Operator(boost::asio::io_context& io, kube::Client* client, Keys keys, OperatorOptions options);

  void Start();

  void Listening(std::string token, v1::ListeningRequest request, ListeningDone done) override;
  void Ended(std::string token, v1::EndedRequest request, EndedDone done) override;
  void OnMessage(std::shared_ptr<service::GatewayLink> link, v1::FromGateway message) override;
  void OnDetach(std::shared_ptr<service::GatewayLink> link) override;

  /// What GET /sessions answers, on the operator's own thread.
  nlohmann::json Sessions(const std::string& ns, const std::string& function) const {
    return history_.Describe(fleet_, ns, function);
  }
  /// Ends one live session (P15). `done` is given 204, or 404 when there is none, or 503.
  void EndSession(const std::string& request_id, std::function<void(int http_status)> done);

 private:
  // From the API.
  void OnFunctionObject(const kube::Json& object);
  void OnFunctionGone(const std::string& uid);
  void OnPodObject(const kube::Json& object);
  void OnPodGone(const std::string& uid);
  void OnPodsListed();

  // From gateways and sidecars.
  void Take(const std::shared_ptr<service::GatewayLink>& link, const v1::FromGateway& message);
  void SendAll(const std::shared_ptr<service::GatewayLink>& link);
  /// Asks every instance whose state is not known; a silent one is asked again.
  void AskStates();
  void AskState(const std::string& uid, std::function<void()> done);
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
  const Keys keys_;
  const OperatorOptions options_;
  fleet::Fleet fleet_;
  ledger::Ledger ledger_;
  History history_;
  Gateways gateways_;
  Reviewer reviewer_;
  StatusWriter statuses_;
  kube::Informer functions_;
  kube::Informer pods_;
  boost::asio::steady_timer plan_timer_;
  boost::asio::steady_timer status_timer_;
  bool scheduled_ = false;
  bool pods_listed_ = false;
  bool pods_started_ = false;
  bool open_ = false;
  bool status_scheduled_ = false;
  std::vector<std::pair<Gateways::Link, v1::FromGateway>> early_;  // until Open()
  std::map<std::string, std::uint64_t> versions_;                  // function uid -> the last taken
  std::set<std::string> asking_;                                   // pod uids whose state is asked
  std::set<std::string> deleting_;                                 // pod uids
};

}  // namespace wsf::control
