// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <set>
#include <string>

#include "operator/control/gateways.h"
#include "operator/control/keys.h"
#include "operator/control/reviewer.h"
#include "operator/control/status_writer.h"
#include "operator/fleet/fleet.h"
#include "operator/instances/pod.h"
#include "operator/kube/client.h"
#include "operator/kube/informer.h"
#include "operator/service/fleet_service.h"
#include "operator/service/instance_service.h"

namespace wsf::control {

struct OperatorOptions {
  std::string ns;          ///< whose functions are watched; "" = all
  std::string public_url;  ///< scheme and authority of status.url
  std::string relay_image;
  std::string operator_address;  ///< ip:port told to sidecars
  Duration surplus = std::chrono::seconds(60);
};

/// The thin shell around Fleet: turns what API, sidecars and gateways say into its events, and its
/// actions into calls. Everything that is decided is decided there.
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

 private:
  struct Held {
    Held(instances::Pod pod, std::vector<v1::SessionRecord> records, boost::asio::io_context& io)
        : pod(std::move(pod)), records(std::move(records)), timer(io) {}
    instances::Pod pod;
    std::vector<v1::SessionRecord> records;
    boost::asio::steady_timer timer;
  };

  // From the API.
  void OnFunctionObject(const kube::Json& object);
  void OnFunctionGone(const std::string& uid);
  void OnPodObject(const kube::Json& object);
  void OnPodGone(const std::string& uid);

  // From gateways and sidecars.
  void Take(const std::shared_ptr<service::GatewayLink>& link, const v1::FromGateway& message);
  void SendAll(const std::shared_ptr<service::GatewayLink>& link);
  /// A record that the container's status may still refine waits for it, at most 5 s.
  void RecordWhenKnown(const instances::Pod& pod, v1::SessionRecord record);
  void ReleaseHeld(const std::string& uid);
  void Record(const instances::Pod& pod, v1::SessionRecord record);
  void AskStates();

  // Carrying out.
  void Schedule();
  void Reconcile();
  void Do(const fleet::CreateInstance& action);
  void Do(const fleet::DeleteInstance& action);
  void Do(const fleet::CloseInstance& action);
  void Do(const fleet::EndSessions& action);
  void Do(const fleet::TellFree& action);
  void Do(const fleet::TellWithdraw& action);
  void Do(const fleet::TellRefuse& action);
  void Do(const fleet::TellFailure& action);
  void DeletePod(const instances::Pod& pod, int grace_seconds);
  void WriteStatuses();
  v1::ToGateway Free(const fleet::Instance& instance, const std::string& home) const;

  boost::asio::io_context& io_;
  kube::Client* const client_;
  const Keys keys_;
  const OperatorOptions options_;
  fleet::Fleet fleet_;
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
  std::vector<std::pair<Gateways::Link, v1::FromGateway>> early_;  // until pods are listed
  std::map<std::string, std::set<std::string>> recorded_;          // pod uid -> request ids
  std::map<std::string, Held> held_;                               // by pod uid
  std::set<std::string> asking_;                                   // pod uids whose state is asked
  std::set<std::string> deleting_;                                 // pod uids
};

}  // namespace wsf::control
