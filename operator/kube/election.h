// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace wsf::kube {

/// Who leads, decided over a Lease (coordination.k8s.io/v1) as client-go does: 15/10/2 s
/// (kubernetes.md section 4). A rival's Lease is dead when it did not change for 15 s, or longer
/// where it says so itself, as *we* saw it, so that clocks may differ (faults.md 14). Leadership is
/// no fence: a leader that was stopped may still act for a moment, and its writes have
/// preconditions.
///
/// Pure: says what to ask the API, is told the answers. Threading: not synchronized.
class Election {
 public:
  using Json = nlohmann::json;

  /// How long a Lease is good after it was last seen to change.
  static constexpr auto kLease = std::chrono::seconds(15);
  /// A leader that could not renew for so long has lost it.
  static constexpr auto kRenew = std::chrono::seconds(10);
  /// Between two tries.
  static constexpr auto kRetry = std::chrono::seconds(2);

  enum class Claim {
    kWhenDead,  ///< a rival's Lease is respected
    kAtOnce,    ///< it is taken over: its holder sees it and ends (--drain-all). It stays taken
                ///< for a minute after our end, so that nobody starts anything anew
  };

  Election(std::string ns, std::string name, std::string identity, Claim claim);

  /// One request to the API; the answer goes to OnAnswer.
  struct Ask {
    enum class Verb { kGet, kCreate, kUpdate } verb;
    Json lease;  ///< with kCreate and kUpdate
  };
  /// What to ask now: call it every kRetry.
  Ask Next(std::int64_t unix_micros);
  /// The answer to `ask`, which was sent at `sent`; `http_status` 0 = none came. Returns what to
  /// ask at once after it.
  std::optional<Ask> OnAnswer(const Ask& ask, int http_status, const Json& body, TimePoint sent,
                              TimePoint now, std::int64_t unix_micros);
  /// The Lease given back, so that another need not wait (SIGTERM). Nothing when it is not ours.
  std::optional<Ask> Release(std::int64_t unix_micros);

  enum class Role { kFollower, kLeader, kLost };
  Role role(TimePoint now) const;
  /// Whether no other leads any more. One whose Lease was taken while it lived goes on until it
  /// sees that, at most until its own renewal is overdue (K51).
  bool IsAlone(TimePoint now) const { return role(now) == Role::kLeader && now >= alone_; }
  /// Who holds it as last seen, "" = nobody.
  const std::string& holder() const { return holder_; }
  /// Of two leaders the one with the higher term is the true one: when the Lease was made, then how
  /// often it has changed hands. One that was deleted and made anew begins to count at 1 again.
  std::int64_t term() const;

 private:
  void Observe(const Json& lease, TimePoint now);
  bool MayClaim(TimePoint now) const;
  Json Claimed(std::int64_t unix_micros) const;

  const std::string ns_;
  const std::string name_;
  const std::string identity_;
  const Claim claim_;
  Json seen_;          // the Lease as last seen; null = there is none
  TimePoint changed_;  // when it was last seen to change
  std::string holder_;
  std::int64_t transitions_ = 0;
  std::int64_t made_ = 0;  // Unix seconds, by the API's clock
  bool led_ = false;
  bool deposed_ = false;  // we led, and somebody else holds it now
  TimePoint renewed_;
  TimePoint alone_;  // when whom we deposed has ended
};

}  // namespace wsf::kube
