// SPDX-License-Identifier: Apache-2.0
//
// wsf-gateway: the stable front door. Holds handshakes, picks a free instance of the function,
// connects to its sidecar and copies bytes. Exit status 2 = wrong flags or a port in use.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/net/await.h"
#include "common/net/endpoint.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/rpc/credentials.h"
#include "gateway/fleet/operator_link.h"
#include "gateway/front/admin.h"
#include "gateway/front/broker.h"
#include "gateway/front/handshake.h"

namespace {

using boost::asio::ip::tcp;
using wsf::observe::Level;
using wsf::observe::Log;

constexpr int kExitUsage = 2;

struct Flags {
  std::string listen = "0.0.0.0:8080";
  std::string admin_listen = "0.0.0.0:8081";
  std::string operator_address;
  std::string tls_folder = "/etc/wsf/gateway-tls";
  std::string default_function;
  bool loopback_only = false;
  std::vector<std::string> allowed_origins;
  int max_wait_seconds = -1;
  std::size_t max_waiting = 1000;
};

void Declare(CLI::App* app, Flags* flags) {
  // Whoever wraps a command may add flags behind ours: the last one holds.
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->add_option("--listen", flags->listen, "ip:port for clients");
  app->add_option("--admin-listen", flags->admin_listen, "ip:port of /metrics and /healthz");
  app->add_option("--operator", flags->operator_address, "ip:port of the operator")->required();
  app->add_option("--operator-tls", flags->tls_folder, "folder of ca.crt, tls.crt and tls.key");
  app->add_option("--default-function", flags->default_function,
                  "NAMESPACE/NAME served where no other function fits");
  app->add_flag("--loopback-only", flags->loopback_only,
                "refuse a Host or Origin that is not this machine");
  app->add_option("--allow-origin", flags->allowed_origins, "allowed with --loopback-only")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--max-waiting", flags->max_waiting,
                  "held handshakes of one function; the next gets 503")
      ->check(CLI::Range(1, 1000000));
  app->add_option("--max-wait", flags->max_wait_seconds,
                  "seconds a handshake may be held; default initTimeout + 5")
      ->check(CLI::Range(1, 3600));
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

tcp::acceptor Listen(boost::asio::io_context& io, const std::string& address) {
  tcp::acceptor acceptor(io);
  boost::system::error_code error = boost::asio::error::invalid_argument;
  if (const auto endpoint = wsf::net::ParseEndpoint(address)) {
    acceptor.open(endpoint->protocol(), error);
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    acceptor.bind(*endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  }
  if (error) {
    std::fprintf(stderr, "wsf-gateway: cannot listen on %s: %s; choose another with --listen\n",
                 address.c_str(), error.message().c_str());
    std::exit(kExitUsage);
  }
  return acceptor;
}

template <typename Serve>
wsf::net::awaitable<void> Accept(boost::asio::io_context& io, tcp::acceptor acceptor, Serve serve) {
  while (true) {
    wsf::net::error_code error;
    tcp::socket client = co_await acceptor.async_accept(wsf::net::Await(error));
    if (error) {  // out of descriptors: wait instead of spinning
      boost::asio::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(wsf::net::Await(error));
      continue;
    }
    wsf::net::Spawn(io.get_executor(), serve(std::move(client)));
  }
}

wsf::net::awaitable<void> RunHandshake(std::shared_ptr<wsf::front::Handshake> handshake) {
  co_await handshake->Run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Accepts WebSocket connections and brings each to an instance.", "wsf-gateway");
  Flags flags;
  Declare(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&io](const boost::system::error_code& error, int) {
    if (!error) io.stop();
  });

  const wsf::tls::KeyPair own = {ReadFile(flags.tls_folder + "/tls.crt"),
                                 ReadFile(flags.tls_folder + "/tls.key")};
  const auto channel =
      wsf::rpc::DialOperator(flags.operator_address, ReadFile(flags.tls_folder + "/ca.crt"), own);
  wsf::observe::Metrics metrics;
  std::unique_ptr<wsf::fleet::OperatorLink> link;
  wsf::front::Broker::Options options;
  options.gateway_id = wsf::NewUuid();
  options.default_function = flags.default_function;
  options.max_waiting = flags.max_waiting;
  if (flags.max_wait_seconds > 0) options.max_wait = std::chrono::seconds(flags.max_wait_seconds);
  wsf::front::Broker broker(
      io, options, [&link](wsf::v1::FromGateway message) { link->Send(std::move(message)); });
  link = std::make_unique<wsf::fleet::OperatorLink>(
      channel, [&io](std::function<void()> work) { boost::asio::post(io, std::move(work)); },
      wsf::fleet::OperatorLink::Callbacks{
          [&broker] { broker.OnOpen(); },
          [&broker, ready = false](const wsf::v1::ToGateway& message) mutable {
            broker.OnMessage(message);
            if (broker.in_sync() && !std::exchange(ready, true)) Log(Level::kInfo, "ready");
          },
          [&broker] { broker.OnLost(); }});

  wsf::front::Exposure exposure;
  if (flags.loopback_only) exposure.names = wsf::front::Exposure::Names::kLoopbackOnly;
  exposure.allowed_origins = flags.allowed_origins;
  const auto buffer = std::make_unique<wsf::tunnel::ReadBuffer>();
  const auto on_refused = [&metrics](const wsf::http::Refusal& refusal,
                                     const std::string& request_id) {
    metrics.Add("wsf_handshakes_refused_total", absl::StrCat("reason=\"", refusal.reason, "\""), 1);
    Log(Level::kInfo, "handshake refused",
        {{"request_id", request_id},
         {"httpStatus", absl::StrCat(refusal.http_status)},
         {"statusCode", absl::StrCat(refusal.code)},
         {"reason", refusal.reason},
         {"error", refusal.message}});
  };
  const wsf::front::Handshake::Parts parts = {io, broker, exposure, *buffer, on_refused};
  wsf::net::Spawn(
      io.get_executor(), Accept(io, Listen(io, flags.listen), [&parts](tcp::socket client) {
        return RunHandshake(std::make_shared<wsf::front::Handshake>(parts, std::move(client)));
      }));
  wsf::net::Spawn(io.get_executor(),
                  Accept(io, Listen(io, flags.admin_listen), [&](tcp::socket client) {
                    return wsf::front::ServeAdmin(std::move(client), metrics, broker);
                  }));
  Log(Level::kInfo, "serving", {{"clients", flags.listen}});
  link->Start();
  io.run();
  std::_Exit(0);  // gRPC's threads end with the process
}
