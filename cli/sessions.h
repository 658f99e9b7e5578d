// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace wsf::cli {

/// `wsf sessions`, `wsf end` and `wsf logs` (U14). `*status` gets 2 when there is nothing to ask or
/// no such session.
void AddSessions(CLI::App* app, int* status);

}  // namespace wsf::cli
