// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/kube/client.h"

namespace wsf::control {

/// The pod that a projected token says it belongs to, unverified; "" = it is none.
std::string ClaimedPod(const std::string& token);

/// Tells whether a projected token is a pod's own, by TokenReview. A positive answer is kept for 60
/// s, by the token's hash, and only while the pod is known.
///
/// Whoever holds a relay's certificate may send any token: one that does not even say that it is
/// the pod's costs no call, and no more than kMaxAsked calls are under way at a time.
///
/// Threading: confined to the operator's thread.
class Reviewer {
 public:
  static constexpr std::size_t kMaxAsked = 32;
  static constexpr std::size_t kMaxWaiting = 1000;

  Reviewer(kube::Client* client, std::function<bool(const std::string& pod_uid)> is_known)
      : client_(client), is_known_(std::move(is_known)) {}

  enum class Answer {
    kItsPod,
    kRefused,
    kUnknown,  ///< the API did not answer, or too many are asked for
  };
  using Done = std::function<void(Answer)>;
  void Review(const std::string& token, const std::string& pod_uid, Done done);

 private:
  struct Known {
    std::string pod_uid;
    TimePoint until;
  };
  struct Asked {
    std::string token;
    std::string pod_uid;
    std::vector<Done> waiting;
  };

  void Ask(const std::string& hash);
  void OnAnswer(const std::string& hash, const kube::Response& response);

  kube::Client* const client_;
  const std::function<bool(const std::string&)> is_known_;
  std::map<std::string, Known> known_;  // this and the next by SHA-256 of the token
  std::map<std::string, Asked> asked_;
  std::deque<std::string> queue_;  // of asked_, those that are not under way
};

}  // namespace wsf::control
