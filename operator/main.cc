// SPDX-License-Identifier: Apache-2.0
//
// wsf-operator: keeps the fleet of every WebSocketFunction and accounts its sessions. Reads the API
// of a kubeconfig or of the cluster it runs in; serves sidecars and gateways over gRPC.
// Exit status 2 = wrong flags or no access; 1 = it lost what it needs.

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <memory>

#include "common/kube/rest_client.h"
#include "common/net/connection.h"
#include "common/net/listener.h"
#include "common/observe/log.h"
#include "common/rpc/credentials.h"
#include "operator/control/operator.h"
#include "operator/control/sessions_server.h"
#include "operator/service/fleet_service.h"
#include "operator/service/instance_service.h"

namespace {

using wsf::observe::Level;
using wsf::observe::Log;

constexpr int kExitUsage = 2;
constexpr auto kRetry = std::chrono::seconds(1);

struct Flags {
  std::string kubeconfig;
  std::string ns = "wsf-system";
  std::string watch_ns;
  std::string sidecar_listen = "0.0.0.0:9443";
  std::string gateway_listen = "0.0.0.0:9444";
  std::string sessions_listen = "0.0.0.0:9445";
  std::string advertise;
  std::string public_url = "ws://localhost:8080";
  std::string relay_image = "wsf-sidecar";
  int surplus_seconds = 60;
  int scale_out_per_minute = 500;
  wsf::spec::Maxima maxima;
};

void Declare(CLI::App* app, Flags* flags) {
  // Whoever wraps a command may add flags behind ours: the last one holds.
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->add_option("--kubeconfig", flags->kubeconfig, "file; default: the cluster we run in");
  app->add_option("--namespace", flags->ns, "our own namespace, where our Secrets are");
  app->add_option("--watch-namespace", flags->watch_ns, "only this namespace's functions");
  app->add_option("--sidecar-listen", flags->sidecar_listen, "ip:port for sidecars");
  app->add_option("--gateway-listen", flags->gateway_listen, "ip:port for gateways");
  app->add_option("--sessions-listen", flags->sessions_listen, "ip:port of GET /sessions");
  app->add_option("--advertise", flags->advertise, "ip:port told to sidecars");
  app->add_option("--public-url", flags->public_url, "start of status.url");
  app->add_option("--relay-image", flags->relay_image, "image of wsf-sidecar");
  app->add_option("--surplus-seconds", flags->surplus_seconds,
                  "how long a free instance above the desired number is kept")
      ->check(CLI::Range(0, 3600));
  app->add_option("--scale-out-per-minute", flags->scale_out_per_minute,
                  "instances started within a minute, of all functions")
      ->check(CLI::Range(1, 1000000));
  app->add_option("--max-message-bytes", flags->maxima.message_bytes,
                  "greatest limits.maxMessageBytes of a function; default any");
  app->add_option("--max-request-bytes-per-second", flags->maxima.request_bytes_per_second,
                  "greatest limits.requestBytesPerSecond; default any");
  app->add_option("--max-requests-per-second", flags->maxima.requests_per_second,
                  "greatest limits.requestsPerSecond; default any");
}

std::unique_ptr<grpc::Server> Serve(const std::string& address, const wsf::control::Keys& keys,
                                    grpc::Service* service, int max_message_bytes) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      address, wsf::rpc::ServerCredentials(keys.authority.certificate, keys.serving), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8192);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  builder.RegisterService(service);
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "wsf-operator: cannot listen on %s; is it in use?\n", address.c_str());
    std::exit(kExitUsage);
  }
  return server;
}

wsf::net::Acceptor Listen(boost::asio::io_context& io, const std::string& address) {
  absl::StatusOr<wsf::net::Acceptor> acceptor = wsf::net::Listen(io, address);
  if (acceptor.ok()) return *std::move(acceptor);
  std::fprintf(stderr, "wsf-operator: --sessions-listen: %s\n",
               std::string(acceptor.status().message()).c_str());
  std::exit(kExitUsage);
}

// The API may not be up yet, and the chart's Secrets may come a moment later.
wsf::control::Keys AwaitKeys(boost::asio::io_context& io, wsf::kube::Client* client,
                             const std::string& ns) {
  while (true) {
    absl::StatusOr<wsf::control::Keys> keys = absl::UnavailableError("");
    bool done = false;
    wsf::control::LoadKeys(client, ns, [&](absl::StatusOr<wsf::control::Keys> result) {
      keys = std::move(result);
      done = true;
    });
    while (!done) io.run_one();
    if (keys.ok()) return *std::move(keys);
    Log(Level::kWarning, "waiting for the keys", {{"error", std::string(keys.status().message())}});
    boost::asio::steady_timer timer(io, kRetry);
    bool passed = false;
    timer.async_wait([&passed](const boost::system::error_code&) { passed = true; });
    while (!passed) io.run_one();
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps the instances of WebSocketFunctions.", "wsf-operator");
  Flags flags;
  Declare(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  absl::StatusOr<wsf::kube::Access> access = flags.kubeconfig.empty()
                                                 ? wsf::kube::InClusterAccess()
                                                 : wsf::kube::ReadKubeconfig(flags.kubeconfig);
  if (!access.ok()) {
    std::fprintf(stderr, "wsf-operator: %s\n", std::string(access.status().message()).c_str());
    return kExitUsage;
  }

  boost::asio::io_context io(1);
  const auto work = boost::asio::make_work_guard(io);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([](const boost::system::error_code& error, int) {
    if (!error) std::_Exit(0);  // nothing is kept in memory that the API does not have
  });
  const auto client = wsf::kube::MakeRestClient(
      *access, [&io](std::function<void()> work) { boost::asio::post(io, std::move(work)); });
  const wsf::control::Keys keys = AwaitKeys(io, client.get(), flags.ns);

  wsf::control::OperatorOptions options;
  options.ns = flags.watch_ns;
  options.public_url = flags.public_url;
  options.relay_image = flags.relay_image;
  options.operator_address = flags.advertise.empty() ? flags.sidecar_listen : flags.advertise;
  options.surplus = std::chrono::seconds(flags.surplus_seconds);
  options.scale_out_per_minute = flags.scale_out_per_minute;
  options.maxima = flags.maxima;
  wsf::control::Operator the_operator(io, client.get(), keys, options);

  wsf::service::InstanceService instance_service(&the_operator);
  wsf::service::FleetService fleet_service(&the_operator);
  const auto sidecar_server = Serve(flags.sidecar_listen, keys, &instance_service, 64 * 1024);
  const auto gateway_server = Serve(flags.gateway_listen, keys, &fleet_service, 4 << 20);
  Log(Level::kInfo, "serving",
      {{"sidecars", flags.sidecar_listen}, {"gateways", flags.gateway_listen}});
  wsf::net::Spawn(
      io.get_executor(),
      wsf::net::AcceptAll(Listen(io, flags.sessions_listen), [&](wsf::net::Connection::Socket s) {
        wsf::net::Spawn(io.get_executor(), wsf::control::ServeSessions(std::move(s), the_operator));
      }));
  the_operator.Start();
  io.run();
  return 1;
}
