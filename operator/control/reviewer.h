// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "common/base/time.h"
#include "common/kube/client.h"

namespace wsf::control {

/// Tells which pod a projected token belongs to, by TokenReview. A positive answer is kept for 60
/// s, by the token's hash, and only while the pod is known.
///
/// Threading: confined to the operator's thread.
class Reviewer {
 public:
  Reviewer(kube::Client* client, std::function<bool(const std::string& pod_uid)> is_known)
      : client_(client), is_known_(std::move(is_known)) {}

  enum class Answer { kPod, kRefused, kUnknown };
  /// `done` gets the pod's uid with kPod; kUnknown: the API did not answer.
  using Done = std::function<void(Answer, const std::string& pod_uid)>;
  void Review(const std::string& token, Done done);

 private:
  struct Known {
    std::string pod_uid;
    TimePoint until;
  };

  kube::Client* const client_;
  const std::function<bool(const std::string&)> is_known_;
  std::map<std::string, Known> known_;  // by SHA-256 of the token
};

}  // namespace wsf::control
