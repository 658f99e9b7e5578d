// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "common/base/time.h"
#include "common/kube/client.h"

namespace wsf::control {

/// Whether the bearer of a token may do something on the operator's admin port: TokenReview says
/// who it is, SubjectAccessReview what it may (K30). Rights are granted as for any resource, by
/// Role and ClusterRole:
///
///     apiGroups: [wsf.dev]   resources: [websocketfunctions/sessions]   verbs: [get, delete]
///     nonResourceURLs: [/metrics]                                       verbs: [get]
///
/// A yes is kept for 30 s, a no for 10 s, by the token's hash; at most kMaxAsked are looked up at a
/// time.
///
/// Threading: confined to the operator's thread.
class Permit {
 public:
  static constexpr std::size_t kMaxAsked = 16;
  static constexpr std::size_t kMaxKept = 1000;

  explicit Permit(kube::Client* client) : client_(client) {}

  struct Wish {
    std::string verb;  ///< get, delete
    std::string ns;    ///< whose sessions; "" = those of all namespaces
    std::string path;  ///< instead of sessions: /metrics
  };
  enum class Answer {
    kYes,
    kNobody,   ///< 401: the API server knows no such token
    kNo,       ///< 403
    kUnknown,  ///< 503: the API does not answer, or too many ask
  };
  using Done = std::function<void(Answer)>;
  void Ask(const std::string& token, const Wish& wish, Done done);

 private:
  struct Kept {
    Answer answer;
    TimePoint until;
  };

  void AskRights(const kube::Json& user, const Wish& wish, const Done& done);
  void Keep(const std::string& key, Answer answer);

  kube::Client* const client_;
  std::size_t asked_ = 0;
  std::map<std::string, Kept> kept_;
};

}  // namespace wsf::control
