// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace wsf::supervisor {

/// What the files below `folder` look like now: changes when one is added, removed or written.
/// Hidden folders, node_modules and __pycache__ do not count, nor what comes after 5,000 files.
std::string Fingerprint(const std::string& folder);

}  // namespace wsf::supervisor
