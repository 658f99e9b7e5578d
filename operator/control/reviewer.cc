// SPDX-License-Identifier: Apache-2.0
#include "operator/control/reviewer.h"

#include "common/json/read.h"
#include "common/tls/certificate.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr auto kKeep = std::chrono::seconds(60);
constexpr char kPath[] = "/apis/authentication.k8s.io/v1/tokenreviews";

std::string PodUid(const Json& review) {
  const Json& status = json::Members(review, "status");
  if (!json::Flag(status, "authenticated")) return "";
  const Json& extra = json::Members(status, "user", "extra");
  const Json& uids = json::Items(extra, "authentication.kubernetes.io/pod-uid");
  return uids.size() == 1 ? json::AsText(uids[0]) : "";
}

}  // namespace

void Reviewer::Review(const std::string& token, Done done) {
  if (token.empty()) return done(Answer::kRefused, "");  // the API would call it a bad request
  const TimePoint now = std::chrono::steady_clock::now();
  std::erase_if(known_, [now](const auto& each) { return each.second.until < now; });
  const std::string hash = tls::Sha256(token);
  const auto found = known_.find(hash);
  if (found != known_.end() && is_known_(found->second.pod_uid)) {
    return done(Answer::kPod, found->second.pod_uid);
  }
  const Json review = {{"apiVersion", "authentication.k8s.io/v1"},
                       {"kind", "TokenReview"},
                       {"spec", {{"token", token}, {"audiences", {"wsf-operator"}}}}};
  client_->Create(kPath, review, [this, hash, done](const kube::Response& response) {
    if (!response.ok()) return done(Answer::kUnknown, "");
    const std::string uid = PodUid(response.body);
    if (uid.empty()) return done(Answer::kRefused, "");
    known_[hash] = {uid, std::chrono::steady_clock::now() + kKeep};
    done(Answer::kPod, uid);
  });
}

}  // namespace wsf::control
