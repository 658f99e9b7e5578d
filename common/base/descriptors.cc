// SPDX-License-Identifier: Apache-2.0
#include "common/base/descriptors.h"

#include <algorithm>

namespace wsf {
namespace {

constexpr rlim_t kMost = 1 << 20;

rlimit Now() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

}  // namespace

rlimit OriginalDescriptorLimit() {
  static const rlimit original = Now();
  return original;
}

std::size_t RaiseDescriptorLimit() {
  rlimit limit = OriginalDescriptorLimit();
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kMost));
  setrlimit(RLIMIT_NOFILE, &limit);
  return Now().rlim_cur;
}

}  // namespace wsf
