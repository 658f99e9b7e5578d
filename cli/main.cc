// SPDX-License-Identifier: Apache-2.0
//
// wsf: one program for people. Each command is a file beside this one.

#include <CLI/CLI.hpp>

#include "cli/connect.h"
#include "cli/dev.h"
#include "cli/sessions.h"

int main(int argc, char** argv) {
  CLI::App app("WebSocket functions: one instance per live connection.", "wsf");
  app.require_subcommand(1);
  int status = 0;
  wsf::cli::AddDev(&app, &status);
  wsf::cli::AddConnect(&app, &status);
  wsf::cli::AddSessions(&app, &status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}
