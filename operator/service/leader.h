// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/credentials.h"

namespace wsf::service {

/// Whether this replica leads, and where the leader is otherwise. Thread-safe.
class Leader {
 public:
  void SetHere() {
    const absl::MutexLock lock(&mutex_);
    here_ = true;
  }
  /// `host` is an address, "" while nobody leads.
  void SetElsewhere(std::string host) {
    const absl::MutexLock lock(&mutex_);
    here_ = false;
    host_ = std::move(host);
  }
  bool here() const {
    const absl::MutexLock lock(&mutex_);
    return here_;
  }
  std::string host() const {
    const absl::MutexLock lock(&mutex_);
    return host_;
  }

 private:
  mutable absl::Mutex mutex_;
  bool here_ ABSL_GUARDED_BY(mutex_) = false;
  std::string host_ ABSL_GUARDED_BY(mutex_);
};

/// A follower's answer: UNAVAILABLE, with the leader's address in the trailer where there is one.
inline grpc::Status PointToLeader(const Leader& leader, int port,
                                  grpc::ServerContextBase* context) {
  const std::string host = leader.host();
  if (host.empty()) return {grpc::StatusCode::UNAVAILABLE, "no operator leads yet"};
  const std::string named = host.find(':') == std::string::npos ? host : "[" + host + "]";
  context->AddTrailingMetadata(rpc::kLeaderTrailer, named + ":" + std::to_string(port));
  return {grpc::StatusCode::UNAVAILABLE, "another replica leads"};
}

}  // namespace wsf::service
