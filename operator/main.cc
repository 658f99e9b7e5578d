// SPDX-License-Identifier: Apache-2.0
//
// wsf-operator: keeps the fleet of every WebSocketFunction and accounts its sessions. Reads the API
// of a kubeconfig or of the cluster it runs in; serves sidecars and gateways over gRPC.
// Exit status 2 = wrong flags or no access; 1 = it lost what it needs.

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "common/base/descriptors.h"
#include "common/observe/log.h"
#include "operator/flags.h"
#include "operator/replica.h"

namespace {

constexpr int kExitUsage = 2;

int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "wsf-operator: %s\n", std::string(status.message()).c_str());
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps the instances of WebSocketFunctions.", "wsf-operator");
  wsf::control::Flags flags;
  wsf::control::Declare(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const absl::StatusOr<wsf::kube::Access> access =
      flags.kubeconfig.empty() ? wsf::kube::InClusterAccess()
                               : wsf::kube::ReadKubeconfig(flags.kubeconfig);
  if (!access.ok()) return Refuse(access.status());

  wsf::RaiseDescriptorLimit();  // each API call and each report takes one
  wsf::observe::LogTheImpossible();
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to peers that have gone
  boost::asio::io_context io(1);
  const auto work = boost::asio::make_work_guard(io);
  wsf::control::Replica replica(io, flags, *access);
  if (const absl::Status status = replica.Start(); !status.ok()) return Refuse(status);
  io.run();
  return 1;
}
