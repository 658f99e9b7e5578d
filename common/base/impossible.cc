// SPDX-License-Identifier: Apache-2.0
#include "common/base/impossible.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace wsf {
namespace {

std::atomic<std::uint64_t> count{0};
std::atomic<void (*)(std::string_view)> handler{nullptr};

}  // namespace

void Impossible(std::string_view what) {
  ++count;
  if (const auto told = handler.load()) return told(what);
  std::fprintf(stderr, "impossible: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

std::uint64_t ImpossibleCount() { return count; }

void OnImpossible(void (*told)(std::string_view)) { handler = told; }

}  // namespace wsf
