// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace wsf::supervisor {

/// The kubeconfig of the standalone mode that this user started last, of those that run; "" when
/// none does. Each leaves a link to its own in $XDG_RUNTIME_DIR, else in a folder of /tmp that is
/// ours alone, so that `wsf sessions` needs no flag.
std::string NewestKubeconfig();

/// Holds the link of this process for as long as it lives.
class Current {
 public:
  explicit Current(const std::string& kubeconfig);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  std::string link_;
};

}  // namespace wsf::supervisor
