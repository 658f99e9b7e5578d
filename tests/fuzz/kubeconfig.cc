// SPDX-License-Identifier: Apache-2.0

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "common/kube/kubeconfig.h"
#include "tests/fuzz/fuzz.h"

// A file of the user's, written by many tools: it names a server, or what is wrong with it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = memfd_create("kubeconfig", MFD_CLOEXEC);
  const bool written = write(file, data, size) == static_cast<ssize_t>(size);
  const auto access = wsf::kube::ReadKubeconfig("/proc/self/fd/" + std::to_string(file));
  if (written && access.ok()) Require(!access->server.empty());
  close(file);
  return 0;
}
