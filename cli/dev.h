// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace wsf::cli {

/// `wsf dev`: runs a function on this machine until Ctrl-C (U10). `*status` gets the exit status.
void AddDev(CLI::App* app, int* status);

}  // namespace wsf::cli
