// SPDX-License-Identifier: Apache-2.0
#include "gateway/door/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

namespace wsf::door {
namespace {

constexpr auto kLookUp = std::chrono::milliseconds(100);
constexpr std::uint64_t kShortPercent = 92;
// More than any machine has: how version 1 says that there is no limit.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 50;

// The files of a control group's memory, of version 2 and of version 1.
struct Names {
  const char* limit;
  const char* used;
  const char* stat;
  const char* reclaimable;  // a line of `stat`
};
constexpr Names kVersion2 = {"/memory.max", "/memory.current", "/memory.stat", "inactive_file"};
constexpr Names kVersion1 = {"/memory/memory.limit_in_bytes", "/memory/memory.usage_in_bytes",
                             "/memory/memory.stat", "total_inactive_file"};

// 0 = no such file, or no number in it: "max".
std::uint64_t ReadNumber(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : 0;
}

std::uint64_t ReadStat(const std::string& path, std::string_view wanted) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t number = 0;
  while (file >> name >> number) {
    if (name == wanted) return number;
  }
  return 0;
}

std::uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Memory::Memory(std::uint64_t limit_bytes, const std::string& groups) : limit_bytes_(limit_bytes) {
  if (limit_bytes > 0) return;
  for (const Names& names : {kVersion2, kVersion1}) {
    const std::uint64_t limit = ReadNumber(groups + names.limit);
    if (limit == 0 || limit >= kNoLimit) continue;
    limit_bytes_ = limit;
    used_path_ = groups + names.used;
    stat_path_ = groups + names.stat;
    reclaimable_ = names.reclaimable;
    return;
  }
}

// What the kernel takes back by itself when it is short is not counted.
std::uint64_t Memory::UsedBytes() const {
  if (used_path_.empty()) return ResidentBytes();
  const std::uint64_t used = ReadNumber(used_path_);
  return used - std::min(used, ReadStat(stat_path_, reclaimable_));
}

bool Memory::IsShort(TimePoint now) {
  if (limit_bytes_ == 0) return false;
  if (now >= looked_up_ + kLookUp) {
    looked_up_ = now;
    is_short_ = UsedBytes() >= limit_bytes_ / 100 * kShortPercent;
  }
  return is_short_;
}

}  // namespace wsf::door
