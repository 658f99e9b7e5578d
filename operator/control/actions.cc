// SPDX-License-Identifier: Apache-2.0
//
// Carries out what Fleet and Ledger have decided.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/record/record.h"
#include "operator/control/operator.h"

namespace wsf::control {
namespace {

using kube::Json;
using observe::Level;

constexpr int kAtMaxInstances = 432;  // H04
constexpr auto kDeleteAgain = std::chrono::seconds(2);
constexpr auto kEndAgain = std::chrono::seconds(5);

TimePoint Now() { return std::chrono::steady_clock::now(); }

// No answer, or one that tells of the API's own state and not of the request.
bool IsPassing(const kube::Response& response) {
  return response.status == 0 || response.status == 429 || response.status >= 500;
}

}  // namespace

// ---- Fleet ----

void Operator::Do(const fleet::CreateInstance& action) {
  const auto found = fleet_.functions().find(action.function_key);
  if (found == fleet_.functions().end()) return;
  const spec::Function& function = found->second;
  instances::PodTemplate common = options_.pods;
  common.operator_address = address_;
  common.operator_authority = keys_.relays.trusted;
  common.relay_certificate = keys_.relays.client.certificate;
  common.relay_key = keys_.relays.client.key;
  const Json pod = instances::MakePod(function, action.name, action.revision, common);
  client_->Create("/api/v1/namespaces/" + function.ns + "/pods", pod,
                  [this, action](const kube::Response& response) {
                    if (response.ok()) {
                      OnPodObject(response.body);  // before the watch tells: nothing is made twice
                    } else if (response.status == 409) {
                      OnNameTaken(action);
                    } else if (IsPassing(response)) {
                      fleet_.OnCreateUnanswered(action.function_key, action.name, Now());
                    } else {
                      fleet_.OnCreateFailed(action.function_key, action.name, response.Message(),
                                            Now());
                      observe::Log(Level::kError, "create failed",
                                   {{"instance", action.name}, {"error", response.Message()}});
                    }
                    Schedule();
                  });
}

void Operator::OnNameTaken(const fleet::CreateInstance& action) {
  if (fleet_.OnNameTaken(action.function_key, action.name, Now())) return;
  const std::string ns = action.function_key.substr(0, action.function_key.find('/'));
  client_->Get(PodPath(ns, action.name), [this, action](const kube::Response& response) {
    const auto found = fleet_.functions().find(action.function_key);
    if (!response.ok() || found == fleet_.functions().end()) return;  // it is tried again
    instances::Pod pod = instances::ParsePod(response.body);
    const bool ours = pod.owner() == found->second.owner();
    if (ours && pod.function == found->second.name) {
      OnPodObject(response.body);
    } else {
      fleet_.OnNameForeign(action.function_key, action.name);
      pod.function = found->second.name;
      if (ours) lost_labels_.PutBack(pod);
    }
    Schedule();
  });
}

void Operator::Do(const fleet::DeleteInstance& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid))
    DeletePod(instance->pod, Grace::kEnded);
}

void Operator::Do(const fleet::AskState& action) {
  AskState(action.uid, [] {});
}

void Operator::Do(const fleet::DropInstance& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid)) {
    DeletePod(instance->pod, Grace::kOfPod);
  }
}

void Operator::DeletePod(const instances::Pod& pod, Grace grace) {
  const auto [asked, is_first] = deleting_.try_emplace(pod.uid, grace);
  const bool is_shorter = asked->second == Grace::kOfPod && grace == Grace::kEnded;
  if (!is_first && !is_shorter) return;
  asked->second = grace;
  // The uid is enough: that an instance is to go never becomes untrue again (I2), and a version
  // would make the delete wait for a watch that is silent.
  Json options = {{"preconditions", {{"uid", pod.uid}}}};
  if (grace == Grace::kEnded) options["gracePeriodSeconds"] = instances::kEndedGraceSeconds;
  client_->Delete(
      PodPath(pod.ns, pod.name), options, [this, pod, grace](const kube::Response& response) {
        if (response.ok() || response.status == 404 || response.status == 409) return;
        observe::Log(Level::kWarning, "delete failed",
                     {{"instance", pod.name}, {"error", response.Message()}});
        const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kDeleteAgain);
        timer->async_wait(
            [this, uid = pod.uid, grace, timer](const boost::system::error_code& error) {
              deleting_.erase(uid);
              const fleet::Instance* instance = fleet_.Find(uid);
              if (!error && instance != nullptr) DeletePod(instance->pod, grace);
            });
      });
}

void Operator::Do(const fleet::CloseInstance& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  const instances::Pod pod = instance->pod;
  AskSidecar({instance->address, keys_.ClaimToken(action.uid), "close", "", ""},
             [this, pod](const net::ControlAnswer& answer) {
               const bool closed = answer.http_status == 204;
               fleet_.OnCloseAnswered(pod.uid, closed, Now());
               if (closed) DeletePod(pod, Grace::kEnded);
               AskStates();
               Schedule();
             });
}

void Operator::Do(const fleet::EndSessions& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  const std::string reason = action.reason == Reason::kRevisionRetired
                                 ? std::string(ReasonName(action.reason))
                                 : "FunctionStopped";
  AskSidecar({instance->address, keys_.ClaimToken(action.uid), "end", reason, ""},
             [this, uid = action.uid](const net::ControlAnswer& answer) {
               if (answer.http_status == 204) return;
               const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kEndAgain);
               timer->async_wait([this, uid, timer](const boost::system::error_code& error) {
                 if (error) return;
                 fleet_.OnEndFailed(uid);
                 Schedule();
               });
             });
}

v1::ToGateway Operator::Free(const fleet::Instance& instance, const std::string& home,
                             int slots) const {
  return FreeMessage(instance, keys_.ClaimToken(instance.pod.uid), home,
                     static_cast<std::uint32_t>(slots));
}

void Operator::Do(const fleet::TellFree& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid)) {
    std::string& home = homes_[action.uid];
    home = action.home.empty() ? gateways_.InTurn() : action.home;
    gateways_.ToAll(Free(*instance, home, action.slots));
  }
}

void Operator::Do(const fleet::TellWithdraw& action) {
  gateways_.ToAll(WithdrawMessage(action.uid));
}

void Operator::Do(const fleet::TellRefuse& action) {
  gateways_.ToOne(action.gateway, RefuseMessage(action.request_id, action.refusal));
  const auto function = fleet_.functions().find(action.function_key);
  if (action.refusal.code != kAtMaxInstances || function == fleet_.functions().end()) return;
  events_.Happened(function->second, "AtMaxInstances", "", action.refusal.message);
}

void Operator::Do(const fleet::TellFailure& action) {
  observe::Log(Level::kWarning, "instance failed",
               {{"function", action.function_key},
                {"code", absl::StrCat(action.refusal.code)},
                {"reason", action.refusal.reason},
                {"error", http::FullMessage(action.refusal)}});
  const auto function = fleet_.functions().find(action.function_key);
  if (function == fleet_.functions().end()) return;
  const bool is_pull = action.refusal.reason == ReasonName(Reason::kPullImageFailed);
  const std::string code = absl::StrCat(action.refusal.code);
  events_.Happened(
      function->second, is_pull ? "PullImageFailed" : "InstanceFailed", code,
      absl::StrCat(code, " ", action.refusal.reason, ": ", http::FullMessage(action.refusal)));
}

// ---- Ledger ----

void Operator::Do(const ledger::LogSession& action) {
  const v1::SessionRecord& record = action.record;
  observe::LogObject(Level::kInfo, "session", RecordJson(record));
  measures_->OnRecord(record);
  fleet_.OnSessionEnded(record.pod_uid(), record.request_id(), fleet::Fleet::Over::kYes, Now());
  const auto function = fleet_.functions().find(record.namespace_() + "/" + record.function());
  if (function == fleet_.functions().end()) return;  // it has no history any more
  history_.Add(record);
  if (record.status() == "success") return;
  // One Event per code, counted up (K08); which session it was says the log.
  const std::string code = absl::StrCat(record.status_code());
  events_.Happened(function->second, "SessionFailed", code,
                   absl::StrCat(code, " ", record.reason()));
}

void Operator::Do(const ledger::LogLate& action) {
  observe::Log(Level::kWarning, "late",
               {{"podUid", action.uid},
                {"requestId", action.record.request_id()},
                {"statusCode", absl::StrCat(action.record.status_code())},
                {"error", "its instance is counted already, or its record says otherwise"}});
}

void Operator::Do(const ledger::LogUncounted& action) {
  observe::LogObject(Level::kWarning, "not counted",
                     absl::StrCat("{\"podUid\":\"", action.uid, "\",\"counted\":false,\"error\":",
                                  "\"the pod's finalizer was taken off by somebody else\"}"));
}

void Operator::Do(const ledger::AckSession& action) {
  gateways_.ToAll(AckMessage(action.uid, action.request_id));
}

void Operator::Do(const ledger::RemovePod& action) {
  if (const fleet::Instance* instance = fleet_.Find(action.uid))
    DeletePod(instance->pod, Grace::kEnded);
}

void Operator::Do(const ledger::RemoveFinalizer& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  const std::vector<std::string>& all = instance->pod.finalizers;
  const auto ours = std::find(all.begin(), all.end(), instances::kLedgerFinalizer);
  if (ours == all.end()) return;
  const std::string path = absl::StrCat("/metadata/finalizers/", ours - all.begin());
  // The place may have moved; then the test fails and it is tried again from a newer version.
  const Json patch =
      Json::array({{{"op", "test"}, {"path", "/metadata/uid"}, {"value", action.uid}},
                   {{"op", "test"}, {"path", path}, {"value", instances::kLedgerFinalizer}},
                   {{"op", "remove"}, {"path", path}}});
  client_->Apply(PodPath(instance->pod.ns, instance->pod.name), kube::Patch::kJson, patch,
                 [](const kube::Response&) {});
}

void Operator::Do(const ledger::PutBackFinalizer& action) {
  const fleet::Instance* instance = fleet_.Find(action.uid);
  if (instance == nullptr) return;
  Json finalizers = instance->pod.finalizers;
  finalizers.push_back(instances::kLedgerFinalizer);
  const Json patch = Json::array(
      {{{"op", "test"}, {"path", "/metadata/uid"}, {"value", action.uid}},
       {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", instance->pod.version}},
       {{"op", "add"}, {"path", "/metadata/finalizers"}, {"value", finalizers}}});
  client_->Apply(PodPath(instance->pod.ns, instance->pod.name), kube::Patch::kJson, patch,
                 [](const kube::Response&) {});
}

void Operator::Do(const ledger::ListPods&) {
  ledger_.OnPodsAsked();
  pods_.List();
}

}  // namespace wsf::control
