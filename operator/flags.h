// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "common/spec/grants.h"
#include "operator/instances/pod.h"
#include "operator/keys/keys.h"

namespace wsf::control {

/// What wsf-operator is told on its command line.
struct Flags {
  std::string kubeconfig;  ///< "" = the cluster we run in
  std::string ns = "wsf-system";
  std::vector<std::string> namespaces;  ///< whose functions are served; empty = all
  bool elects = false;
  std::string identity;  ///< NAME_IP
  bool drains = false;
  std::string sidecar_listen = "0.0.0.0:9443";
  std::string gateway_listen = "0.0.0.0:9444";
  std::string admin_listen = "0.0.0.0:9445";
  std::string probe_listen = "0.0.0.0:8082";
  std::string advertise;
  std::size_t relay_connections_per_source = 2;  ///< 0 = no limit
  std::string public_url = "ws://localhost:8080";
  std::string relay_image = "wsf-sidecar";
  int surplus_seconds = 60;
  int scale_out_per_minute = 500;
  instances::RelayResources relay;
  bool keeps_from_eviction = false;
  bool cluster_gives_ids = false;
  std::vector<std::string> relay_pull_secrets;
  spec::Grants grants;
  keys::Lives lives;
};

void Declare(CLI::App* app, Flags* flags);

}  // namespace wsf::control
