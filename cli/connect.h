// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace wsf::cli {

/// `wsf connect URL`: lines in, messages out (U12). `*status` gets 0 when the session ended well.
void AddConnect(CLI::App* app, int* status);

}  // namespace wsf::cli
