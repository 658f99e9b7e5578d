// SPDX-License-Identifier: Apache-2.0
//
// wsf-gateway: the stable front door. Holds handshakes, picks a free instance of the function,
// connects to its sidecar and copies bytes. Exit status 2 = wrong flags or a port in use.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/descriptors.h"
#include "common/base/ids.h"
#include "common/base/impossible.h"
#include "common/net/await.h"
#include "common/net/listener.h"
#include "common/net/pages.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/rpc/credentials.h"
#include "common/tls/server.h"
#include "gateway/door/door.h"
#include "gateway/door/memory.h"
#include "gateway/flags.h"
#include "gateway/fleet/operator_link.h"
#include "gateway/front/broker.h"
#include "gateway/front/drain.h"
#include "gateway/front/handshake.h"

namespace {

using boost::asio::ip::tcp;
using wsf::gateway::Flags;
using wsf::observe::Level;
using wsf::observe::Log;

constexpr int kExitUsage = 2;
// New certificate files are seen within this (faults.md 47).
constexpr auto kCertificateLook = std::chrono::seconds(1);
// Descriptors that are not clients' and sidecars': listeners, gRPC, those that are turned away.
constexpr std::size_t kOwnDescriptors = 128;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

[[noreturn]] void Stop(const absl::Status& status, const char* flag) {
  std::fprintf(stderr, "wsf-gateway: %s: %s\n", flag, std::string(status.message()).c_str());
  std::exit(kExitUsage);
}

wsf::net::Acceptor Listen(boost::asio::io_context& io, const std::string& address,
                          const char* flag) {
  absl::StatusOr<wsf::net::Acceptor> acceptor = wsf::net::Listen(io, address);
  if (!acceptor.ok()) Stop(acceptor.status(), flag);
  return *std::move(acceptor);
}

// Each client takes two descriptors, its own and its sidecar's.
std::size_t MaxConnections(std::size_t asked_for) {
  const std::size_t limit = wsf::RaiseDescriptorLimit();
  const std::size_t room = limit < 2 * kOwnDescriptors ? limit / 4 : (limit - kOwnDescriptors) / 2;
  return asked_for == 0 ? room : std::min(asked_for, room);
}

std::unique_ptr<wsf::tls::Server> LoadTls(const Flags& flags) {
  if (flags.certificates.empty()) {
    if (flags.tls_listen.empty()) return nullptr;
    Stop(absl::InvalidArgumentError("needs --tls-certificate"), "--tls-listen");
  }
  std::vector<wsf::tls::CertificateFiles> files;
  for (const std::string& folder : flags.certificates) {
    files.push_back({folder + "/tls.crt", folder + "/tls.key"});
  }
  auto server = std::make_unique<wsf::tls::Server>(std::move(files));
  const absl::Status loaded = server->Load();
  if (!loaded.ok()) Stop(loaded, "--tls-certificate");
  return server;
}

wsf::net::awaitable<void> WatchCertificates(wsf::tls::Server* server) {
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer(executor);
  absl::Status before;
  while (true) {
    timer.expires_after(kCertificateLook);
    wsf::net::error_code error;
    co_await timer.async_wait(wsf::net::Await(error));
    const absl::Status loaded = server->Load();
    if (!loaded.ok() && loaded != before) {
      Log(Level::kWarning, "the certificate loaded before stays in use",
          {{"error", std::string(loaded.message())}});
    }
    before = loaded;
  }
}

wsf::net::awaitable<void> RunHandshake(std::shared_ptr<wsf::front::Handshake> handshake) {
  co_await handshake->Run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Accepts WebSocket connections and brings each to an instance.", "wsf-gateway");
  Flags flags;
  wsf::gateway::Declare(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  wsf::observe::LogTheImpossible();
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to clients that have gone
  boost::asio::io_context io(1);
  const absl::StatusOr<wsf::door::Trusted> trusted =
      wsf::door::Trusted::Parse(flags.trusted_proxies);
  if (!trusted.ok()) Stop(trusted.status(), "--trusted-proxies");
  const std::unique_ptr<wsf::tls::Server> tls = LoadTls(flags);
  if (tls != nullptr) wsf::net::Spawn(io.get_executor(), WatchCertificates(tls.get()));
  wsf::net::Admission::Limits limits;
  limits.in_all = MaxConnections(flags.max_connections);
  if (flags.max_connections_per_address > 0) limits.per_address = flags.max_connections_per_address;
  wsf::net::Admission admission(limits);
  wsf::door::Memory memory(flags.memory_limit);

  // Read for each attempt: the Secret behind the files rotates.
  const auto dial = [folder = flags.tls_folder](const std::string& address) {
    return wsf::rpc::DialOperator(address, ReadFile(folder + "/ca.crt"),
                                  {ReadFile(folder + "/tls.crt"), ReadFile(folder + "/tls.key")});
  };
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
      flags.operator_address, dial,
      [&io](std::function<void()> work) { boost::asio::post(io, std::move(work)); },
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
  const auto buffer = std::make_unique_for_overwrite<wsf::tunnel::ReadBuffer>();
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
  wsf::front::Drain drain(io, broker, [&io] { io.stop(); });
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  const std::function<void()> await_signal = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      drain.Begin({std::chrono::seconds(flags.lame_duck_seconds),
                   std::chrono::seconds(flags.drain_seconds)});
      await_signal();
    });
  };
  await_signal();
  const auto is_ready = [&] { return broker.in_sync() && !drain.is_leaving(); };
  const auto closed = [&]() -> std::optional<wsf::http::Refusal> {
    if (drain.is_draining()) return wsf::http::GatewayDraining();
    if (memory.IsShort(std::chrono::steady_clock::now())) return wsf::http::GatewayFull();
    return std::nullopt;
  };
  using Start = wsf::front::Handshake::Parts::Start;
  const auto on_established = [&metrics](Start start, wsf::Duration took) {
    metrics.Observe("wsf_start_seconds", start == Start::kWarm ? "kind=\"warm\"" : "kind=\"cold\"",
                    std::chrono::duration<double>(took).count());
  };
  const wsf::front::Handshake::Parts parts = {io,         broker,        exposure, *trusted,
                                              admission,  *buffer,       is_ready, closed,
                                              on_refused, on_established};
  const wsf::door::Door::Parts door_parts = {
      admission, *trusted, tls.get(),
      [&](wsf::door::Arrival arrival) {
        wsf::net::Spawn(io.get_executor(), RunHandshake(std::make_shared<wsf::front::Handshake>(
                                               parts, std::move(arrival))));
      },
      on_refused};
  using Door = wsf::door::Door;
  Door door({tls == nullptr ? Door::Speaks::kPlain : Door::Speaks::kEither, flags.proxy_protocol},
            door_parts);
  Door tls_door({Door::Speaks::kTls, flags.proxy_protocol}, door_parts);
  const auto accept = [&](const std::string& address, const char* flag,
                          std::function<void(tcp::socket)> take) {
    wsf::net::Spawn(io.get_executor(),
                    wsf::net::AcceptAll(Listen(io, address, flag), std::move(take)));
  };
  for (const std::string& address : std::vector<std::string>(absl::StrSplit(flags.listen, ','))) {
    accept(address, "--listen", [&door](tcp::socket client) { door.Take(std::move(client)); });
  }
  if (!flags.tls_listen.empty()) {
    accept(flags.tls_listen, "--tls-listen",
           [&tls_door](tcp::socket client) { tls_door.Take(std::move(client)); });
  }
  const auto text = [&metrics] {
    metrics.Set("wsf_impossible_total", "", static_cast<double>(wsf::ImpossibleCount()));
    return metrics.Text();
  };
  using Page = wsf::net::PagePort::Page;
  wsf::net::PagePort admin({{"/metrics",
                             [&] {
                               return Page{200, text()};
                             }}},
                           [&](const wsf::http::RequestHead& head) {
                             return !wsf::front::CheckExposure(exposure, head).has_value();
                           });
  wsf::net::PagePort probes({{"/healthz", [] { return wsf::net::Probe(true); }},
                             {"/readyz", [&] { return wsf::net::Probe(is_ready()); }}});
  admin.Serve(Listen(io, flags.admin_listen, "--admin-listen"));
  probes.Serve(Listen(io, flags.probe_listen, "--probe-listen"));
  Log(Level::kInfo, "serving", {{"clients", flags.listen}});
  link->Start();
  io.run();
  wsf::observe::FinishLog();
  std::_Exit(0);  // gRPC's threads end with the process
}
