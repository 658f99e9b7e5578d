// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/informers.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace wsf::kube {

Informers::Informers(boost::asio::io_context& io, Client* client, const std::string& group,
                     const std::string& resource, const std::vector<std::string>& namespaces,
                     const std::string& selector, Informer::Callbacks callbacks) {
  std::vector<std::string> scopes;
  for (const std::string& ns : namespaces) scopes.push_back("/namespaces/" + ns);
  if (scopes.empty()) scopes.emplace_back();
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    Informer::Callbacks own = callbacks;
    own.on_listed = [this, i, on_listed = callbacks.on_listed] {
      unlisted_.erase(i);
      if (unlisted_.empty()) on_listed();
    };
    informers_.push_back(std::make_unique<Informer>(
        io, client, absl::StrCat(group, scopes[i], "/", resource), selector, std::move(own)));
  }
}

void Informers::List() {
  for (std::size_t i = 0; i < informers_.size(); ++i) unlisted_.insert(i);
  for (const auto& each : informers_) each->List();
}

}  // namespace wsf::kube
