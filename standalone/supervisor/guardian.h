// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace wsf::supervisor {

/// Runs `work` in a child and leaves no orphan: when that child has ended, however, every process
/// that came from it is killed, until none is left (contracts.md: PR_SET_PDEATHSIG reaches only
/// direct children). SIGINT, SIGTERM and SIGHUP go on to the child, but for an interrupt of the
/// terminal, which the child has got itself.
/// Returns the exit status of `work`, or 1 when a signal ended it.
int RunGuarded(const std::function<int()>& work);

/// Whether our starter had this signal ignored, as nohup has SIGHUP.
bool IsIgnored(int signal);

}  // namespace wsf::supervisor
