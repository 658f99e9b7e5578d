// SPDX-License-Identifier: Apache-2.0
//
// What sidecars and gateways say to the operator.

#include <boost/asio/post.hpp>
#include <utility>

#include "common/net/sidecar_client.h"
#include "common/observe/log.h"
#include "operator/control/operator.h"

namespace wsf::control {
namespace {

using observe::Level;

constexpr auto kAskAgain = std::chrono::seconds(5);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string KeyOf(const v1::FunctionName& name) { return name.namespace_() + "/" + name.name(); }

}  // namespace

// ---- Sidecars ----

void Operator::Check(const std::string& token, const std::string& pod_uid,
                     std::function<void(grpc::Status)> checked) {
  const auto refused = [this, pod_uid](const char* reason, const char* message) {
    observe::Log(Level::kWarning, "report refused", {{"podUid", pod_uid}, {"error", message}});
    measures_->OnRefused("relays", reason);
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, message);
  };
  if (gone_pods_.Find(pod_uid) != nullptr)  // though its token may still be good
    return checked(refused("gone", "the pod has gone"));
  reviewer_.Review(token, pod_uid, [this, pod_uid, refused, checked](Reviewer::Answer answer) {
    switch (answer) {
      case Reviewer::Answer::kUnknown:
        return checked({grpc::StatusCode::UNAVAILABLE, "the API server does not answer"});
      case Reviewer::Answer::kRefused: return checked(refused("token", "not this pod's token"));
      case Reviewer::Answer::kItsPod: break;
    }
    if (gone_pods_.Find(pod_uid) != nullptr) return checked(refused("gone", "the pod has gone"));
    if (fleet_.Find(pod_uid) == nullptr)  // our cache lags behind the pod, or is not filled yet
      return checked({grpc::StatusCode::UNAVAILABLE, "the pod is not known yet"});
    checked(grpc::Status::OK);
  });
}

void Operator::Listening(std::string token, v1::ListeningRequest request, ListeningDone done) {
  boost::asio::post(
      io_, [this, token = std::move(token), request = std::move(request), done = std::move(done)] {
        Check(token, request.pod_uid(), [this, request, done](const grpc::Status& checked) {
          if (!checked.ok()) return done(checked, {});
          const std::string& uid = request.pod_uid();
          if (!fleet_.Find(uid)->pod.MayBeAt(request.relay_address())) {
            observe::Log(Level::kWarning, "report refused",
                         {{"podUid", uid}, {"error", "its relay address is not the pod's"}});
            measures_->OnRefused("relays", "address");
            return done({grpc::StatusCode::PERMISSION_DENIED, "not this pod's address"}, {});
          }
          v1::ListeningResponse response;
          response.set_claim_token(keys_.ClaimToken(uid));
          done(grpc::Status::OK, response);
          fleet_.OnListening(uid, request.relay_address(), Now());
          ledger_.OnStarted(uid);
          Schedule();
        });
      });
}

void Operator::Ended(std::string token, v1::EndedRequest request, EndedDone done) {
  boost::asio::post(io_, [this, token = std::move(token), request = std::move(request),
                          done = std::move(done)] {
    Check(token, request.pod_uid(), [this, request, done](const grpc::Status& checked) {
      done(checked);  // at once: the termination message is the durable copy
      if (!checked.ok()) return;
      const std::string& uid = request.pod_uid();
      ledger_.OnReport(uid, request.record(), request.instance_totals(), Now());
      fleet_.OnSessionEnded(uid, request.record().request_id(), fleet::Fleet::Over::kYes, Now());
      AskStates();
      Schedule();
    });
  });
}

void Operator::AskSidecar(net::ControlRequest request,
                          std::function<void(const net::ControlAnswer&)> done) {
  net::AskSidecar(
      io_, request,
      [this, command = request.command, done = std::move(done)](const net::ControlAnswer& answer) {
        measures_->OnSidecarAnswer(command, answer.http_status);
        done(answer);
      });
}

void Operator::AskState(const std::string& uid, std::function<void()> done) {
  const fleet::Instance* instance = fleet_.Find(uid);
  if (instance == nullptr || !asking_.insert(uid).second) return done();
  const std::string address = instance->address;
  AskSidecar({address, keys_.ClaimToken(uid), "state", "", ""},
             [this, uid, address, done](const net::ControlAnswer& answer) {
               std::string state;
               if (answer.http_status == 200) state = answer.body;
               if (answer.http_status == 503) state = "starting";
               asking_.erase(uid);
               if (state.empty()) AskLater(uid);
               fleet_.OnState(uid, state, address, Now());
               Schedule();
               done();
             });
}

// A silent one counts as live and is asked again. So is one that refuses to answer: its token is of
// keys that were replaced, and a free one fetches a new one when it is asked.
void Operator::AskLater(const std::string& uid) {
  if (!silent_.insert(uid).second) return;
  const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kAskAgain);
  timer->async_wait([this, uid, timer](const boost::system::error_code& error) {
    silent_.erase(uid);
    if (!error) AskStates();
  });
}

void Operator::AskStates() {
  for (const std::string& uid : fleet_.Unknown()) {
    if (!silent_.contains(uid)) AskState(uid, [] {});
  }
}

std::string Operator::NamespaceOfSession(const std::string& request_id) const {
  for (const auto& [uid, instance] : fleet_.instances()) {
    if (instance.sessions.contains(request_id)) return instance.pod.ns;
  }
  return "";
}

void Operator::EndSession(const std::string& request_id, std::function<void(int)> done) {
  for (const auto& [uid, instance] : fleet_.instances()) {
    if (!instance.sessions.contains(request_id)) continue;
    return AskSidecar(
        {instance.address, keys_.ClaimToken(uid), "end", "FunctionStopped", request_id},
        [done = std::move(done)](const net::ControlAnswer& answer) {
          done(answer.http_status == 204 ? 204 : 503);
        });
  }
  done(404);
}

// ---- Gateways ----

void Operator::OnMessage(std::shared_ptr<service::GatewayLink> link, v1::FromGateway message) {
  boost::asio::post(io_, [this, link = std::move(link), message = std::move(message)] {
    // Before our own lists are in nothing could be said, and Taken would find no pod.
    if (open_) {
      Take(link, message);
    } else {
      early_.Add(link, message);
    }
  });
}

void Operator::Open() {
  open_ = true;
  for (const auto& [link, message] : early_.TakeAll()) Take(link, message);
  AskStates();
  Schedule();
}

void Operator::OnDetach(std::shared_ptr<service::GatewayLink> link) {
  boost::asio::post(io_, [this, link = std::move(link)] {
    early_.Drop(link);
    const std::string id = gateways_.Remove(link);
    if (id.empty()) return;
    observe::Log(Level::kInfo, "gateway detached", {{"gateway", id}});
    // Its Waiting counts for 10 s more: it may only have lost its stream (contracts.md).
    const auto timer = std::make_shared<boost::asio::steady_timer>(io_, std::chrono::seconds(10));
    timer->async_wait([this, id, timer](const boost::system::error_code& error) {
      if (error || gateways_.Has(id)) return;
      fleet_.OnGatewayLost(id);
      Schedule();
    });
  });
}

void Operator::Take(const std::shared_ptr<service::GatewayLink>& link,
                    const v1::FromGateway& message) {
  const std::string gateway = gateways_.IdOf(link);
  if (gateway.empty() && !message.has_hello()) return;  // of an older stream
  switch (message.message_case()) {
    case v1::FromGateway::kHello:
      // It names its waiters anew: what it does not name has left while the stream was down.
      fleet_.OnGatewayLost(message.hello().gateway());
      return gateways_.Add(message.hello().gateway(), link);
    case v1::FromGateway::kInSync: return SendAll(link);
    case v1::FromGateway::kWaiting:
      fleet_.OnWaiting({message.waiting().request_id(), KeyOf(message.waiting().function()),
                        gateway, message.waiting().since()});
      break;
    case v1::FromGateway::kLeft: fleet_.OnLeft(message.left().request_id()); break;
    case v1::FromGateway::kTaken: {
      const v1::Taken& taken = message.taken();
      fleet_.OnTaken(taken.pod_uid(), taken.request_id(), {taken.client(), taken.since()});
      ledger_.OnTaken(taken.pod_uid(), taken.request_id(), taken.since());
      break;
    }
    case v1::FromGateway::kNotTaken:
      fleet_.OnNotTaken(message.not_taken().pod_uid(), message.not_taken().request_id(), Now());
      ledger_.OnNotTaken(message.not_taken().pod_uid(), message.not_taken().request_id());
      AskStates();
      break;
    case v1::FromGateway::kEnded: {
      const v1::SessionEnded& ended = message.ended();
      ledger_.OnGatewayView(ended.pod_uid(),
                            {ended.request_id(), ended.established(), ended.ended(), 0});
      const bool sidecar_ended = ended.lost_side() == v1::SessionEnded::LOST_SIDE_TO_SERVER;
      fleet_.OnSessionEnded(ended.pod_uid(), ended.request_id(),
                            sidecar_ended ? fleet::Fleet::Over::kYes : fleet::Fleet::Over::kPerhaps,
                            Now());
      if (sidecar_ended) {
        fleet_.OnInstanceLost(ended.pod_uid(), Now());
      }
      AskStates();
      break;
    }
    case v1::FromGateway::MESSAGE_NOT_SET: break;
  }
  Schedule();
}

void Operator::SendAll(const std::shared_ptr<service::GatewayLink>& link) {
  link->Send(SnapshotMessage(term_));
  for (const auto& [key, function] : fleet_.functions()) {
    link->Send(RouteOf(function));
  }
  for (const auto& [uid, instance] : fleet_.instances()) {
    if (instance.told_slots == 0) continue;
    std::string& home = homes_[uid];
    if (!gateways_.Has(home)) home = gateways_.InTurn();  // it has gone, or there was none
    link->Send(Free(instance, home, instance.told_slots));
  }
  link->Send(InSyncMessage());
}

}  // namespace wsf::control
