// SPDX-License-Identifier: Apache-2.0
#include "operator/control/lost_labels.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/observe/log.h"

namespace wsf::control {
namespace {

constexpr auto kAgain = std::chrono::seconds(1);
constexpr auto kAgainMax = std::chrono::seconds(60);

}  // namespace

std::string PodPath(const std::string& ns, const std::string& name) {
  return absl::StrCat("/api/v1/namespaces/", ns, "/pods/", name);
}

void LostLabels::Look(const instances::Pod& pod, std::function<void()> on_gone) {
  if (!looking_.insert(pod.uid).second) return;
  Ask(std::make_shared<Search>(Search{pod, std::move(on_gone), kAgain}));
}

void LostLabels::PutBack(const instances::Pod& pod) {
  Patch(std::make_shared<Search>(Search{pod, [] {}, kAgain}));
}

void LostLabels::Ask(std::shared_ptr<Search> search) {
  const instances::Pod& pod = search->pod;
  client_->Get(PodPath(pod.ns, pod.name), [this, search](const kube::Response& response) {
    const std::string uid = json::Text(response.body, "metadata", "uid");
    const bool gone = response.status == 404 || (response.ok() && uid != search->pod.uid);
    // An API that does not let us look is believed what its watch says.
    if (gone || response.status == 403) {
      looking_.erase(search->pod.uid);
      search->on_gone();
    } else if (response.ok()) {
      Patch(search);
    } else {
      Again(search, response.Message());
    }
  });
}

void LostLabels::Patch(std::shared_ptr<Search> search) {
  const instances::Pod& pod = search->pod;
  const kube::Json labels = {{instances::kFunctionLabel, pod.function}};
  const kube::Json patch = {{"metadata", {{"uid", pod.uid}, {"labels", labels}}}};
  client_->Apply(PodPath(pod.ns, pod.name), kube::Patch::kMerge, patch,
                 [this, search](const kube::Response& response) {
                   if (!response.ok()) return Again(search, response.Message());
                   looking_.erase(search->pod.uid);
                   observe::Log(
                       observe::Level::kWarning, "label put back",
                       {{"instance", search->pod.name}, {"label", instances::kFunctionLabel}});
                 });
}

void LostLabels::Again(std::shared_ptr<Search> search, const std::string& error) {
  if (search->pause == kAgain) {  // once; the rest is the same
    observe::Log(observe::Level::kWarning, "label not put back",
                 {{"instance", search->pod.name}, {"error", error}});
  }
  const auto timer = std::make_shared<boost::asio::steady_timer>(io_, search->pause);
  search->pause = std::min<std::chrono::seconds>(search->pause * 2, kAgainMax);
  timer->async_wait([this, search, timer](const boost::system::error_code& failed) {
    if (!failed) Ask(search);
  });
}

}  // namespace wsf::control
