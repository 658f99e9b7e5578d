// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/current.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace wsf::supervisor {

std::string CurrentLink() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string folder = runtime != nullptr && *runtime != '\0'
                                 ? std::string(runtime) + "/wsf"
                                 : "/tmp/wsf-" + std::to_string(getuid());
  mkdir(folder.c_str(), 0700);
  // In /tmp anybody could have made it before us, with a link of his own in it.
  struct stat found;
  const bool ours = lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                    found.st_uid == getuid() && (found.st_mode & 022) == 0;
  return ours ? folder + "/kubeconfig" : "";
}

Current::Current(std::string kubeconfig) : kubeconfig_(std::move(kubeconfig)) {
  const std::string link = CurrentLink();
  if (link.empty()) return;
  unlink(link.c_str());
  [[maybe_unused]] const int made = symlink(kubeconfig_.c_str(), link.c_str());
}

Current::~Current() {
  std::error_code error;
  const std::string link = CurrentLink();
  if (link.empty() || std::filesystem::read_symlink(link, error) != kubeconfig_) return;
  unlink(link.c_str());
  rmdir(std::filesystem::path(link).parent_path().c_str());
}

}  // namespace wsf::supervisor
