// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/kube/client.h"
#include "operator/instances/pod.h"

namespace wsf::control {

/// The path of a pod at the API.
std::string PodPath(const std::string& ns, const std::string& name);

/// Instances that the operator's selector does not show any more, since somebody has taken their
/// label off: to a watch they look as if they had gone. They get it back, so that their sessions
/// are counted and their finalizer is taken off in the end.
///
/// Threading: confined to the operator's thread.
class LostLabels {
 public:
  LostLabels(boost::asio::io_context& io, kube::Client* client) : io_(io), client_(client) {}

  /// Calls `on_gone` once the API says that the pod has gone; where it has not, the watch will tell
  /// of it again.
  void Look(const instances::Pod& pod, std::function<void()> on_gone);
  /// `pod` with the function that it had when it had its label.
  void PutBack(const instances::Pod& pod);

 private:
  struct Search {
    instances::Pod pod;
    std::function<void()> on_gone;
    std::chrono::seconds pause;  // until it is tried again
  };

  void Ask(std::shared_ptr<Search> search);
  void Patch(std::shared_ptr<Search> search);
  void Again(std::shared_ptr<Search> search, const std::string& error);

  boost::asio::io_context& io_;
  kube::Client* const client_;
  std::set<std::string> looking_;  // uids
};

}  // namespace wsf::control
