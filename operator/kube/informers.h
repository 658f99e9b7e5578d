// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "operator/kube/informer.h"

namespace wsf::kube {

/// One Informer for all namespaces, or one for each of those that the operator may see (K30): a
/// namespaced Role allows no list of all. To its user it is one; on_listed is called when each has
/// been listed since List.
///
/// Threading: confined to the operator's thread.
class Informers {
 public:
  /// `group` is "/api/v1" or "/apis/GROUP/VERSION", `namespaces` empty for all.
  Informers(boost::asio::io_context& io, Client* client, const std::string& group,
            const std::string& resource, const std::vector<std::string>& namespaces,
            const std::string& selector, Informer::Callbacks callbacks);

  /// Lists consistently from now on, whatever is under way.
  void List();

 private:
  std::vector<std::unique_ptr<Informer>> informers_;
  std::set<std::size_t> unlisted_;  // of informers_
};

}  // namespace wsf::kube
