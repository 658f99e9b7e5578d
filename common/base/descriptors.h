// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

#include <cstddef>

namespace wsf {

/// Raises this process's soft limit of open descriptors to the hard one, at most to 2^20: some
/// containers allow 2^30, over which programs loop. Returns how many may be open now. Called by a
/// program's main before it has threads.
std::size_t RaiseDescriptorLimit();

/// The limit as it was before: what a child that is no part of the platform is given.
rlimit OriginalDescriptorLimit();

}  // namespace wsf
