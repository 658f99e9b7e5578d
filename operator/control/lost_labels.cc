// SPDX-License-Identifier: Apache-2.0
#include "operator/control/lost_labels.h"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/observe/log.h"

namespace wsf::control {
namespace {

constexpr auto kAgain = std::chrono::seconds(1);

}  // namespace

std::string PodPath(const std::string& ns, const std::string& name) {
  return absl::StrCat("/api/v1/namespaces/", ns, "/pods/", name);
}

void LostLabels::Look(const instances::Pod& pod, std::function<void()> on_gone) {
  if (looking_.insert(pod.uid).second) Ask(pod, std::move(on_gone));
}

void LostLabels::Ask(const instances::Pod& pod, std::function<void()> on_gone) {
  client_->Get(PodPath(pod.ns, pod.name),
               [this, pod, on_gone = std::move(on_gone)](const kube::Response& response) {
                 const bool other = json::Text(response.body, "metadata", "uid") != pod.uid;
                 if (response.status == 404 || (response.ok() && other)) {
                   looking_.erase(pod.uid);
                   on_gone();
                 } else if (response.ok()) {
                   PutBack(pod, on_gone);
                 } else {
                   Again(pod, on_gone);
                 }
               });
}

void LostLabels::PutBack(const instances::Pod& pod, std::function<void()> on_gone) {
  const kube::Json labels = {{instances::kFunctionLabel, pod.function}};
  const kube::Json patch = {{"metadata", {{"uid", pod.uid}, {"labels", labels}}}};
  client_->Apply(PodPath(pod.ns, pod.name), kube::Patch::kMerge, patch,
                 [this, pod, on_gone = std::move(on_gone)](const kube::Response& response) {
                   if (!response.ok()) return Again(pod, on_gone);
                   looking_.erase(pod.uid);
                   observe::Log(observe::Level::kWarning, "label put back",
                                {{"instance", pod.name}, {"label", instances::kFunctionLabel}});
                 });
}

void LostLabels::Again(const instances::Pod& pod, std::function<void()> on_gone) {
  const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kAgain);
  timer->async_wait(
      [this, pod, on_gone = std::move(on_gone), timer](const boost::system::error_code& error) {
        if (!error) Ask(pod, on_gone);
      });
}

}  // namespace wsf::control
