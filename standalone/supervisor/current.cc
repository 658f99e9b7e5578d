// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/current.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace wsf::supervisor {
namespace {

namespace fs = std::filesystem;

std::string Folder() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string folder = runtime != nullptr && *runtime != '\0'
                                 ? std::string(runtime) + "/wsf"
                                 : "/tmp/wsf-" + std::to_string(getuid());
  mkdir(folder.c_str(), 0700);
  // In /tmp anybody could have made it before us, with a link of his own in it.
  struct stat found;
  const bool ours = lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                    found.st_uid == getuid() && (found.st_mode & 022) == 0;
  return ours ? folder : "";
}

// When a link was made; 0 where what it leads to is gone (its owner was killed).
std::int64_t MadeAt(const fs::path& link) {
  struct stat found;
  if (access(link.c_str(), R_OK) != 0 || lstat(link.c_str(), &found) != 0) return 0;
  return found.st_mtim.tv_sec * std::int64_t{1'000'000'000} + found.st_mtim.tv_nsec;
}

}  // namespace

std::string NewestKubeconfig() {
  std::string newest;
  std::int64_t made_at = 0;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(Folder(), error)) {
    const std::int64_t at = MadeAt(each.path());
    if (at <= made_at) continue;
    made_at = at;
    newest = each.path().string();
  }
  return newest;
}

Current::Current(const std::string& kubeconfig) {
  const std::string folder = Folder();
  if (folder.empty()) return;
  link_ = folder + "/kubeconfig-" + std::to_string(getpid());
  unlink(link_.c_str());
  [[maybe_unused]] const int made = symlink(kubeconfig.c_str(), link_.c_str());
}

Current::~Current() {
  if (link_.empty()) return;
  unlink(link_.c_str());
  rmdir(fs::path(link_).parent_path().c_str());  // the last one leaves nothing
}

}  // namespace wsf::supervisor
