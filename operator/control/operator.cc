// SPDX-License-Identifier: Apache-2.0
#include "operator/control/operator.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/observe/log.h"
#include "common/record/record.h"
#include "operator/control/sidecar_client.h"
#include "operator/ledger/record_reader.h"

namespace wsf::control {
namespace {

using kube::Json;
using observe::Level;

constexpr char kFunctionsPath[] = "/apis/wsf.dev/v1alpha1";
// The relay still runs then and the server gets its TERM at once (contracts.md, ledger).
constexpr int kEndedGraceSeconds = 2;
constexpr auto kRefineTime = std::chrono::seconds(5);
constexpr auto kDeleteAgain = std::chrono::seconds(2);
constexpr auto kAskAgain = std::chrono::seconds(5);

TimePoint Now() { return std::chrono::steady_clock::now(); }

std::string Collection(const std::string& group, const std::string& ns, const char* resource) {
  const std::string scope = ns.empty() ? "" : "/namespaces/" + ns;
  return absl::StrCat(group, scope, "/", resource);
}

std::string PodPath(const instances::Pod& pod) {
  return absl::StrCat("/api/v1/namespaces/", pod.ns, "/pods/", pod.name);
}

std::string KeyOf(const v1::FunctionName& name) { return name.namespace_() + "/" + name.name(); }

}  // namespace

Operator::Operator(boost::asio::io_context& io, kube::Client* client, Keys keys,
                   OperatorOptions options)
    : io_(io),
      client_(client),
      keys_(std::move(keys)),
      options_(std::move(options)),
      fleet_(options_.surplus),
      reviewer_(client),
      statuses_(client, options_.public_url),
      functions_(io, client, Collection(kFunctionsPath, options_.ns, "websocketfunctions"), "",
                 {[this](const Json& object) { OnFunctionObject(object); },
                  [this](const std::string& uid) { OnFunctionGone(uid); },
                  [this] {
                    if (!std::exchange(pods_started_, true)) pods_.Start();
                  }}),
      pods_(io, client, Collection("/api/v1", options_.ns, "pods"), instances::kFunctionLabel,
            {[this](const Json& object) { OnPodObject(object); },
             [this](const std::string& uid) { OnPodGone(uid); },
             [this] {
               pods_listed_ = true;
               fleet_.OnPodsListed();
               AskStates();
               for (const auto& [link, message] : std::exchange(early_, {})) Take(link, message);
               Schedule();
             }}),
      plan_timer_(io),
      status_timer_(io) {}

void Operator::Start() {
  functions_.Start();
  WriteStatuses();
}

// ---- From the API ----

void Operator::OnFunctionObject(const Json& object) {
  spec::Function function = spec::ParseFunction(object);
  statuses_.OnFunction(function.key(), object.value("status", Json::object()));
  gateways_.ToAll(RouteMessage(function, fleet_.Revision(function)));
  fleet_.OnFunction(std::move(function));
  Schedule();
}

void Operator::OnFunctionGone(const std::string& uid) {
  if (const auto key = fleet_.OnFunctionGone(uid)) {
    statuses_.Forget(*key);
    gateways_.ToAll(RouteGoneMessage(*key));
  }
  Schedule();
}

void Operator::OnPodObject(const Json& object) {
  const instances::Pod pod = instances::ParsePod(object);
  fleet_.OnPod(pod, Now());
  if (pod.server.terminated) ReleaseHeld(pod.uid);
  if (pod.ended()) {
    if (auto record = ledger::RecordOfEndedPod(pod)) RecordWhenKnown(pod, *std::move(record));
    const fleet::Instance* instance = fleet_.Find(pod.uid);
    if (!instance->NeverFree() || pod.deleting)
      DeletePod(pod, 0);  // else Plan() says first why it failed
  }
  Schedule();
}

void Operator::OnPodGone(const std::string& uid) {
  ReleaseHeld(uid);
  fleet_.OnPodGone(uid);
  recorded_.erase(uid);
  deleting_.erase(uid);
  gateways_.ToAll(WithdrawMessage(uid));
  Schedule();
}

// ---- From sidecars ----

void Operator::Listening(std::string token, v1::ListeningRequest request, ListeningDone done) {
  boost::asio::post(io_, [this, token = std::move(token), request = std::move(request),
                          done = std::move(done)] {
    reviewer_.Review(token, [this, request, done](Reviewer::Answer answer, const std::string& uid) {
      if (answer == Reviewer::Answer::kUnknown) {
        return done({grpc::StatusCode::UNAVAILABLE, "the API server does not answer"}, {});
      }
      if (answer == Reviewer::Answer::kRefused || uid != request.pod_uid()) {
        observe::Log(Level::kWarning, "report refused", {{"podUid", request.pod_uid()}});
        return done({grpc::StatusCode::PERMISSION_DENIED, "not this pod's token"}, {});
      }
      if (fleet_.Find(uid) == nullptr) {  // our cache lags behind the pod
        return done({grpc::StatusCode::UNAVAILABLE, "the pod is not known yet"}, {});
      }
      v1::ListeningResponse response;
      response.set_claim_token(keys_.ClaimToken(uid));
      done(grpc::Status::OK, response);
      fleet_.OnListening(uid, request.relay_address(), Now());
      Schedule();
    });
  });
}

void Operator::Ended(std::string token, v1::EndedRequest request, EndedDone done) {
  boost::asio::post(io_, [this, token = std::move(token), request = std::move(request),
                          done = std::move(done)] {
    reviewer_.Review(token, [this, request, done](Reviewer::Answer answer, const std::string& uid) {
      const fleet::Instance* instance = fleet_.Find(uid);
      if (answer == Reviewer::Answer::kUnknown) {
        return done({grpc::StatusCode::UNAVAILABLE, "the API server does not answer"});
      }
      if (answer == Reviewer::Answer::kRefused || uid != request.pod_uid() || instance == nullptr) {
        observe::Log(Level::kWarning, "report refused", {{"podUid", request.pod_uid()}});
        return done({grpc::StatusCode::PERMISSION_DENIED, "not this pod's token"});
      }
      done(grpc::Status::OK);
      const instances::Pod pod = instance->pod;
      RecordWhenKnown(pod, request.record());
      if (request.instance_totals().open() == 0) DeletePod(pod, kEndedGraceSeconds);
      Schedule();
    });
  });
}

void Operator::RecordWhenKnown(const instances::Pod& pod, v1::SessionRecord record) {
  if (!ledger::MayBeRefined(record) || pod.server.terminated) {
    return Record(pod, std::move(record));
  }
  const auto [held, is_new] =
      held_.try_emplace(pod.uid, pod, std::vector<v1::SessionRecord>(), io_);
  held->second.records.push_back(std::move(record));
  if (!is_new) return;
  held->second.timer.expires_after(kRefineTime);
  held->second.timer.async_wait([this, uid = pod.uid](const boost::system::error_code& error) {
    if (!error) ReleaseHeld(uid);
  });
}

void Operator::ReleaseHeld(const std::string& uid) {
  auto held = held_.extract(uid);
  if (held.empty()) return;
  const fleet::Instance* instance = fleet_.Find(uid);
  const instances::Pod pod = instance != nullptr ? instance->pod : held.mapped().pod;
  for (v1::SessionRecord& record : held.mapped().records) Record(pod, std::move(record));
}

void Operator::Record(const instances::Pod& pod, v1::SessionRecord record) {
  if (!recorded_[pod.uid].insert(record.request_id()).second) return;
  ledger::Complete(pod, pod.function_key(), &record);
  ledger::Refine(pod, &record);
  observe::LogObject(Level::kInfo, "session", RecordJson(record));
  statuses_.Add(pod.function_key(), record);
  fleet_.OnSessionEnded(pod.uid, record.request_id());
  gateways_.ToAll(AckMessage(pod.uid, record.request_id()));
}

void Operator::AskStates() {
  for (const std::string& uid : fleet_.Unknown()) {
    const fleet::Instance* instance = fleet_.Find(uid);
    if (!asking_.insert(uid).second) continue;
    ControlRequest request = {instance->address, keys_.ClaimToken(uid), "state", ""};
    const std::string address = instance->address;
    AskSidecar(io_, request, [this, uid, address](const ControlAnswer& answer) {
      const bool starting = answer.http_status == 503;
      fleet_.OnState(uid,
                     starting                    ? "starting"
                     : answer.http_status == 200 ? answer.body
                                                 : "",
                     address, Now());
      Schedule();
      if (answer.http_status != 0) {
        asking_.erase(uid);
        return;
      }
      // A silent one counts as live and is asked again.
      const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kAskAgain);
      timer->async_wait([this, uid, timer](const boost::system::error_code& error) {
        asking_.erase(uid);
        if (!error) AskStates();
      });
    });
  }
}

// ---- From gateways ----

void Operator::OnMessage(std::shared_ptr<service::GatewayLink> link, v1::FromGateway message) {
  boost::asio::post(io_, [this, link = std::move(link), message = std::move(message)] {
    // Before our own lists are in nothing could be said, and Taken would find no pod.
    if (pods_listed_) {
      Take(link, message);
    } else {
      early_.emplace_back(link, message);
    }
  });
}

void Operator::OnDetach(std::shared_ptr<service::GatewayLink> link) {
  boost::asio::post(io_, [this, link = std::move(link)] {
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
    case v1::FromGateway::kTaken:
      fleet_.OnTaken(message.taken().pod_uid(), message.taken().request_id());
      break;
    case v1::FromGateway::kNotTaken:
      fleet_.OnNotTaken(message.not_taken().pod_uid(), Now());
      AskStates();
      break;
    case v1::FromGateway::kEnded:
      // The sidecar's report or its termination message is the record; this says that we know.
      link->Send(AckMessage(message.ended().pod_uid(), message.ended().request_id()));
      break;
    case v1::FromGateway::MESSAGE_NOT_SET: break;
  }
  Schedule();
}

void Operator::SendAll(const std::shared_ptr<service::GatewayLink>& link) {
  link->Send(SnapshotMessage(1));
  for (const auto& [key, function] : fleet_.functions()) {
    link->Send(RouteMessage(function, fleet_.Revision(function)));
  }
  for (const auto& [uid, instance] : fleet_.instances()) {
    if (instance.phase == fleet::Phase::kFree && instance.told_free) {
      link->Send(Free(instance, ""));
    }
  }
  link->Send(InSyncMessage());
}

// ---- Carrying out ----

void Operator::Schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(io_, [this] {
    scheduled_ = false;
    Reconcile();
  });
}

void Operator::Reconcile() {
  if (!pods_listed_) return;
  const TimePoint now = Now();
  for (const fleet::Action& action : fleet_.Plan(now)) {
    std::visit([this](const auto& each) { Do(each); }, action);
  }
  if (const auto next = fleet_.NextDeadline(now)) {
    plan_timer_.expires_at(*next);
    plan_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) Schedule();
    });
  }
}

void Operator::Do(const fleet::CreateInstance& action) {
  const spec::Function& function = fleet_.functions().at(action.function_key);
  const instances::PodTemplate common = {options_.relay_image, options_.operator_address,
                                         keys_.authority.certificate, keys_.admission.certificate,
                                         keys_.admission.key};
  const Json pod = instances::MakePod(function, action.name, action.revision, common);
  client_->Create("/api/v1/namespaces/" + function.ns + "/pods", pod,
                  [this, action](const kube::Response& response) {
                    if (response.ok()) {
                      OnPodObject(response.body);  // before the watch tells: nothing is made twice
                    } else if (response.status == 409) {
                      fleet_.OnCreated(action.function_key, action.name);  // the next ordinal
                    } else {
                      fleet_.OnCreateFailed(action.function_key, action.name, response.Message(),
                                            Now());
                      observe::Log(Level::kError, "create failed",
                                   {{"instance", action.name}, {"error", response.Message()}});
                    }
                    Schedule();
                  });
}

void Operator::Do(const fleet::DeleteInstance& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid)) {
    DeletePod(instance->pod, kEndedGraceSeconds);
  }
}

void Operator::DeletePod(const instances::Pod& pod, int grace_seconds) {
  if (!deleting_.insert(pod.uid).second && grace_seconds > 0) return;
  const Json options = {{"gracePeriodSeconds", grace_seconds},
                        {"preconditions", {{"uid", pod.uid}}}};
  client_->Delete(
      PodPath(pod), options, [this, pod, grace_seconds](const kube::Response& response) {
        if (response.ok() || response.status == 404 || response.status == 409) return;
        deleting_.erase(pod.uid);
        observe::Log(Level::kWarning, "delete failed",
                     {{"instance", pod.name}, {"error", response.Message()}});
        const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kDeleteAgain);
        timer->async_wait(
            [this, pod, grace_seconds, timer](const boost::system::error_code& error) {
              if (!error && fleet_.Find(pod.uid) != nullptr) DeletePod(pod, grace_seconds);
            });
      });
}

void Operator::Do(const fleet::CloseInstance& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  const instances::Pod pod = instance->pod;
  AskSidecar(io_, {instance->address, keys_.ClaimToken(action.uid), "close", ""},
             [this, pod](const ControlAnswer& answer) {
               const bool closed = answer.http_status == 204;
               fleet_.OnCloseAnswered(pod.uid, closed, Now());
               if (closed) DeletePod(pod, kEndedGraceSeconds);
               AskStates();
               Schedule();
             });
}

void Operator::Do(const fleet::EndSessions& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  AskSidecar(io_, {instance->address, keys_.ClaimToken(action.uid), "end", "FunctionStopped"},
             [](const ControlAnswer&) {});
}

v1::ToGateway Operator::Free(const fleet::Instance& instance, const std::string& home) const {
  const auto function = fleet_.functions().find(instance.pod.function_key());
  const std::uint32_t slots =
      function == fleet_.functions().end() ? 1 : function->second.spec.instance_concurrency;
  return FreeMessage(instance, keys_.ClaimToken(instance.pod.uid), home, slots);
}

void Operator::Do(const fleet::TellFree& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid)) {
    gateways_.ToAll(Free(*instance, action.home));
  }
}

void Operator::Do(const fleet::TellWithdraw& action) {
  gateways_.ToAll(WithdrawMessage(action.uid));
}

void Operator::Do(const fleet::TellRefuse& action) {
  gateways_.ToOne(action.gateway, RefuseMessage(action.request_id, action.refusal));
}

void Operator::Do(const fleet::TellFailure& action) {
  observe::Log(Level::kWarning, "instance failed",
               {{"function", action.function_key},
                {"code", absl::StrCat(action.refusal.code)},
                {"reason", action.refusal.reason},
                {"error", action.refusal.message}});
  const auto function = fleet_.functions().find(action.function_key);
  if (function == fleet_.functions().end()) return;
  statuses_.WriteEvent(
      function->second, "InstanceFailed",
      absl::StrCat(action.refusal.code, " ", action.refusal.reason, ": ", action.refusal.message));
}

// ---- Status ----

void Operator::WriteStatuses() {
  if (pods_listed_) statuses_.Write(fleet_);
  status_timer_.expires_after(std::chrono::milliseconds(200));
  status_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) WriteStatuses();
  });
}

}  // namespace wsf::control
