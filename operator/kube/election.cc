// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/election.h"

#include <algorithm>
#include <utility>

#include "common/json/read.h"

namespace wsf::kube {
namespace {

using Json = nlohmann::json;

// After --drain-all the rest of the installation is taken away within this.
constexpr auto kLeaseOfDrain = std::chrono::seconds(60);
// Of one Lease; one change a second would take eleven days.
constexpr std::int64_t kMaxTransitions = 1'000'000;

Json SpecOf(const Json& lease) {
  const auto found = lease.is_object() ? lease.find("spec") : lease.end();
  return lease.is_object() && found != lease.end() && found->is_object() ? *found : Json::object();
}

}  // namespace

Election::Election(std::string ns, std::string name, std::string identity, Claim claim)
    : ns_(std::move(ns)), name_(std::move(name)), identity_(std::move(identity)), claim_(claim) {}

Election::Ask Election::Next(std::int64_t unix_micros) {
  // A leader writes on what it wrote last; if that is not what stands there, the write fails.
  if (led_ && !deposed_ && !seen_.is_null()) return {Ask::Verb::kUpdate, Claimed(unix_micros)};
  return {Ask::Verb::kGet, {}};
}

std::optional<Election::Ask> Election::OnAnswer(const Ask& ask, int http_status, const Json& body,
                                                TimePoint sent, TimePoint now,
                                                std::int64_t unix_micros) {
  const bool ok = http_status >= 200 && http_status < 300;
  if (ask.verb != Ask::Verb::kGet) {
    if (ok) {
      const bool deposes = claim_ == Claim::kAtOnce && !holder_.empty() && holder_ != identity_;
      if (deposes) alone_ = now + kRenew + kRetry;
      Observe(body, now);
      led_ = true;
      renewed_ = sent;  // as the others may have seen it at the earliest
      return std::nullopt;
    }
    // Somebody else wrote, or the outcome is unknown: only the API knows what stands there.
    if (http_status == 409 || http_status == 404) return Ask{Ask::Verb::kGet, {}};
    return std::nullopt;
  }
  if (http_status == 404) {
    seen_ = nullptr;
    holder_.clear();
    return Ask{Ask::Verb::kCreate, Claimed(unix_micros)};
  }
  if (!ok) return std::nullopt;
  Observe(body, now);
  if (led_ && holder_ != identity_) deposed_ = true;
  if (deposed_ || !MayClaim(now)) return std::nullopt;
  return Ask{Ask::Verb::kUpdate, Claimed(unix_micros)};
}

std::optional<Election::Ask> Election::Release(std::int64_t unix_micros) {
  if (!led_ || deposed_ || seen_.is_null()) return std::nullopt;
  Json lease = Claimed(unix_micros);
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;
  return Ask{Ask::Verb::kUpdate, lease};
}

Election::Role Election::role(TimePoint now) const {
  if (!led_) return Role::kFollower;
  return deposed_ || now >= renewed_ + kRenew ? Role::kLost : Role::kLeader;
}

std::int64_t Election::term() const { return made_ * kMaxTransitions + transitions_; }

void Election::Observe(const Json& lease, TimePoint now) {
  const Json spec = SpecOf(lease);
  if (seen_.is_null() || SpecOf(seen_) != spec) changed_ = now;
  seen_ = lease;
  holder_ = json::Text(spec, "holderIdentity");
  transitions_ = json::Number(spec, "leaseTransitions");
  made_ = ParseRfc3339(json::Text(lease, "metadata", "creationTimestamp")) / 1'000'000;
}

bool Election::MayClaim(TimePoint now) const {
  if (holder_.empty() || holder_ == identity_ || claim_ == Claim::kAtOnce) return true;
  const std::chrono::seconds theirs(json::Number(SpecOf(seen_), "leaseDurationSeconds"));
  return now >= changed_ + std::max<Duration>(kLease, theirs);
}

Json Election::Claimed(std::int64_t unix_micros) const {
  const std::string now = Rfc3339(unix_micros);
  const Json old = SpecOf(seen_);
  const bool ours = holder_ == identity_;
  Json lease = seen_.is_null() ? Json{{"apiVersion", "coordination.k8s.io/v1"},
                                      {"kind", "Lease"},
                                      {"metadata", {{"name", name_}, {"namespace", ns_}}}}
                               : seen_;
  lease["spec"] = {
      {"holderIdentity", identity_},
      {"leaseDurationSeconds",
       std::chrono::seconds(claim_ == Claim::kAtOnce ? kLeaseOfDrain : kLease).count()},
      {"acquireTime", ours ? json::TextOr(now, old, "acquireTime") : now},
      {"renewTime", now},
      {"leaseTransitions", ours ? transitions_ : transitions_ + 1}};
  return lease;
}

}  // namespace wsf::kube
