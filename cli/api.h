// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/kube/client.h"
#include "common/kube/kubeconfig.h"

namespace wsf::cli {

/// The API of a cluster or of standalone mode, one call at a time.
class Api {
 public:
  /// `kubeconfig` "" looks for $KUBECONFIG, then for a standalone mode that this user has started,
  /// then for ~/.kube/config.
  static absl::StatusOr<std::unique_ptr<Api>> Open(const std::string& kubeconfig);
  /// The same, where each request bears a token of the service account `wsf-people` for the
  /// operator in namespace `system`: made for ten minutes with the user's own credentials, which
  /// the operator never sees. An error says what is not allowed, or that there is no operator of
  /// ours.
  static absl::StatusOr<std::unique_ptr<Api>> OpenForPeople(const std::string& kubeconfig,
                                                            const std::string& system);

  /// Status 0: no answer; `error` says why.
  kube::Response Get(const std::string& path);
  kube::Response Post(const std::string& path, const kube::Json& body = kube::Json::object());

 private:
  void Dial();
  using Call = std::function<void(kube::Client::Callback)>;
  kube::Response Wait(const Call& call);

  boost::asio::io_context io_{1};
  // A context that ran out of work would have to be restarted for the next call.
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  kube::Access access_;
  std::unique_ptr<kube::Client> client_;
};

/// What to tell of an answer that is none of the wanted.
std::string WhyNot(const kube::Response& answer);

}  // namespace wsf::cli
