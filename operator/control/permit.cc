// SPDX-License-Identifier: Apache-2.0
#include "operator/control/permit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/tls/certificate.h"

namespace wsf::control {
namespace {

using kube::Json;

constexpr auto kKeepYes = std::chrono::seconds(30);
constexpr auto kKeepNo = std::chrono::seconds(10);
constexpr char kTokenReviews[] = "/apis/authentication.k8s.io/v1/tokenreviews";
constexpr char kAccessReviews[] = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

Json AccessReview(const Json& user, const Permit::Wish& wish) {
  Json spec = {{"user", json::Text(user, "username")}, {"uid", json::Text(user, "uid")}};
  // As they came: both reviews write them alike.
  for (const char* part : {"groups", "extra"}) {
    if (user.contains(part)) spec[part] = user[part];
  }
  if (wish.path.empty()) {
    spec["resourceAttributes"] = {{"group", "wsf.dev"},
                                  {"resource", "websocketfunctions"},
                                  {"subresource", "sessions"},
                                  {"namespace", wish.ns},
                                  {"verb", wish.verb}};
  } else {
    spec["nonResourceAttributes"] = {{"path", wish.path}, {"verb", wish.verb}};
  }
  return {{"apiVersion", "authorization.k8s.io/v1"},
          {"kind", "SubjectAccessReview"},
          {"spec", std::move(spec)}};
}

}  // namespace

void Permit::Ask(const std::string& token, const Wish& wish, Done done) {
  const TimePoint now = std::chrono::steady_clock::now();
  std::erase_if(kept_, [now](const auto& each) { return each.second.until < now; });
  const std::string key =
      absl::StrCat(tls::Sha256(token), " ", wish.verb, " ", wish.ns, " ", wish.path);
  const auto found = kept_.find(key);
  if (found != kept_.end()) return done(found->second.answer);
  if (token.empty()) return done(Answer::kNobody);  // the API would call it a bad request
  if (asked_ >= kMaxAsked) return done(Answer::kUnknown);
  ++asked_;
  const Done keep = [this, key, done = std::move(done)](Answer answer) {
    --asked_;
    Keep(key, answer);
    done(answer);
  };
  // Without audiences: a token for the API server, as a service account has it in a pod.
  const Json review = {{"apiVersion", "authentication.k8s.io/v1"},
                       {"kind", "TokenReview"},
                       {"spec", {{"token", token}}}};
  client_->Create(kTokenReviews, review, [this, wish, keep](const kube::Response& response) {
    if (!response.ok()) return keep(Answer::kUnknown);
    const Json& status = json::Members(response.body, "status");
    if (!json::Flag(status, "authenticated")) return keep(Answer::kNobody);
    AskRights(json::Members(status, "user"), wish, keep);
  });
}

void Permit::AskRights(const Json& user, const Wish& wish, const Done& done) {
  client_->Create(kAccessReviews, AccessReview(user, wish), [done](const kube::Response& response) {
    if (!response.ok()) return done(Answer::kUnknown);
    const bool allowed = json::Flag(json::Members(response.body, "status"), "allowed");
    done(allowed ? Answer::kYes : Answer::kNo);
  });
}

void Permit::Keep(const std::string& key, Answer answer) {
  if (answer == Answer::kUnknown || kept_.size() >= kMaxKept) return;
  const auto keep = answer == Answer::kYes ? kKeepYes : kKeepNo;
  kept_[key] = {answer, std::chrono::steady_clock::now() + keep};
}

}  // namespace wsf::control
