// SPDX-License-Identifier: Apache-2.0
#include "operator/control/reviewer.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "common/json/read.h"
#include "common/tls/certificate.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr auto kKeep = std::chrono::seconds(60);
constexpr char kAudience[] = "wsf-operator";
constexpr char kPath[] = "/apis/authentication.k8s.io/v1/tokenreviews";

// An API server that knows no audiences names none, and takes tokens that are meant for others.
bool IsForUs(const Json& status) {
  for (const Json& each : json::Items(status, "audiences")) {
    if (json::AsText(each) == kAudience) return true;
  }
  return false;
}

std::string ReviewedPod(const Json& review) {
  const Json& status = json::Members(review, "status");
  if (!json::Flag(status, "authenticated") || !IsForUs(status)) return "";
  const Json& extra = json::Members(status, "user", "extra");
  const Json& uids = json::Items(extra, "authentication.kubernetes.io/pod-uid");
  return uids.size() == 1 ? json::AsText(uids[0]) : "";
}

}  // namespace

std::string ClaimedPod(const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');  // RFC 7515 section 3.1
  std::string payload;
  if (parts.size() != 3 || !absl::WebSafeBase64Unescape(parts[1], &payload)) return "";
  const Json claims = Json::parse(payload, nullptr, false);
  return json::Text(json::Members(claims, "kubernetes.io"), "pod", "uid");
}

void Reviewer::Review(const std::string& token, const std::string& pod_uid, Done done) {
  if (pod_uid.empty() || ClaimedPod(token) != pod_uid) return done(Answer::kRefused);
  const TimePoint now = std::chrono::steady_clock::now();
  std::erase_if(known_, [now](const auto& each) { return each.second.until < now; });
  const std::string hash = tls::Sha256(token);
  const auto found = known_.find(hash);
  if (found != known_.end() && is_known_(found->second.pod_uid)) return done(Answer::kItsPod);
  const auto asked = asked_.find(hash);
  if (asked != asked_.end()) return asked->second.waiting.push_back(std::move(done));
  if (queue_.size() >= kMaxWaiting) return done(Answer::kUnknown);
  const bool at_once = asked_.size() - queue_.size() < kMaxAsked;
  asked_[hash] = {token, pod_uid, {std::move(done)}};
  if (at_once) return Ask(hash);
  queue_.push_back(hash);
}

void Reviewer::Ask(const std::string& hash) {
  const Json review = {{"apiVersion", "authentication.k8s.io/v1"},
                       {"kind", "TokenReview"},
                       {"spec", {{"token", asked_[hash].token}, {"audiences", {kAudience}}}}};
  client_->Create(kPath, review,
                  [this, hash](const kube::Response& response) { OnAnswer(hash, response); });
}

void Reviewer::OnAnswer(const std::string& hash, const kube::Response& response) {
  const Asked asked = std::move(asked_[hash]);
  asked_.erase(hash);
  Answer answer = Answer::kUnknown;
  if (response.ok()) {
    const bool is_its = ReviewedPod(response.body) == asked.pod_uid;
    answer = is_its ? Answer::kItsPod : Answer::kRefused;
  }
  if (answer == Answer::kItsPod)
    known_[hash] = {asked.pod_uid, std::chrono::steady_clock::now() + kKeep};
  if (!queue_.empty()) {
    const std::string next = queue_.front();
    queue_.pop_front();
    Ask(next);
  }
  for (const Done& done : asked.waiting) done(answer);
}

}  // namespace wsf::control
