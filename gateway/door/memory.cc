// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/memory.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace wsf::door {
namespace {

constexpr auto kLookUp = std::chrono::milliseconds(100);
constexpr std::uint64_t kShortPercent = 92;

std::uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

bool Memory::IsShort(TimePoint now) {
  if (limit_bytes_ == 0) return false;
  if (now >= looked_up_ + kLookUp) {
    looked_up_ = now;
    is_short_ = ResidentBytes() >= limit_bytes_ / 100 * kShortPercent;
  }
  return is_short_;
}

std::uint64_t ControlGroupLimit() {
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    // "max", or a number beyond any machine, means none.
    if (file >> bytes && bytes < (std::uint64_t{1} << 50)) return bytes;
  }
  return 0;
}

}  // namespace wsf::door
