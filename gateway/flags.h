// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wsf::gateway {

/// What wsf-gateway is told on its command line.
struct Flags {
  std::string listen = "0.0.0.0:8080";
  std::string tls_listen;
  std::vector<std::string> certificates;
  bool proxy_protocol = false;
  std::string trusted_proxies;
  std::size_t max_connections = 0;              ///< 0 = what the descriptor limit allows
  std::size_t max_connections_per_address = 0;  ///< 0 = no limit
  std::uint64_t memory_limit = 0;               ///< 0 = the control group's
  int lame_duck_seconds = 0;
  int drain_seconds = 0;
  std::string admin_listen = "0.0.0.0:8081";
  std::string probe_listen = "0.0.0.0:8082";
  std::string operator_address;
  std::string tls_folder = "/etc/wsf/gateway-tls";
  std::string default_function;
  bool loopback_only = false;
  std::vector<std::string> allowed_origins;
  int max_wait_seconds = -1;  ///< -1 = by the function's init timeout (H15)
  std::size_t max_waiting = 1000;
};

void Declare(CLI::App* app, Flags* flags);

}  // namespace wsf::gateway
