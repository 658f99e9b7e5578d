// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wsf::supervisor {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;  ///< 0 = any free one
  std::vector<std::string> allowed_origins;
  std::vector<nlohmann::json> functions;  ///< WebSocketFunction objects; the first is served at /
  std::string
      source_folder;        ///< a change of its files makes a new revision of the first; "" = none
  std::string data_folder;  ///< "" = a temporary one, removed at the end
  std::string records_path;
  std::string ready_path;
  std::string programs_folder;  ///< where wsf-operator, wsf-gateway and wsf-sidecar are
  enum class Nodes { kProcesses, kNone } nodes = Nodes::kProcesses;
  std::vector<std::string> operator_flags;
  std::vector<std::string> gateway_flags;
};

/// Standalone mode: the embedded API and the process runtime in this process, the real operator and
/// gateway as its children. Runs until SIGINT or SIGTERM. Returns an exit status; what is wrong is
/// said in one line on standard error before anything was started (U16).
int Run(const Options& options);

}  // namespace wsf::supervisor
