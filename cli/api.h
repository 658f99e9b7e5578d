// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/kube/client.h"

namespace wsf::cli {

/// The API of a cluster or of standalone mode, one call at a time.
class Api {
 public:
  /// `kubeconfig` "" looks for $KUBECONFIG, then for a standalone mode that this user has started,
  /// then for ~/.kube/config.
  static absl::StatusOr<std::unique_ptr<Api>> Open(const std::string& kubeconfig);

  /// Status 0: no answer; `error` says why.
  kube::Response Get(const std::string& path);
  kube::Response Post(const std::string& path);

 private:
  using Call = std::function<void(kube::Client::Callback)>;
  kube::Response Wait(const Call& call);

  boost::asio::io_context io_{1};
  // A context that ran out of work would have to be restarted for the next call.
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::unique_ptr<kube::Client> client_;
};

}  // namespace wsf::cli
