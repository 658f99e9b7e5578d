// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace wsf::supervisor {

/// Where the standalone mode that this user started last has left a link to its kubeconfig, so that
/// `wsf sessions` needs no flag: in $XDG_RUNTIME_DIR, else in a folder of /tmp that is ours alone.
/// "" when there is no such place.
std::string CurrentLink();

/// Holds that link for as long as it lives. Another one may take it over.
class Current {
 public:
  explicit Current(std::string kubeconfig);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const std::string kubeconfig_;
};

}  // namespace wsf::supervisor
