// SPDX-License-Identifier: Apache-2.0
#include "operator/replica.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/json/read.h"
#include "common/kube/rest_client.h"
#include "common/net/endpoint.h"
#include "common/net/listener.h"
#include "common/observe/log.h"
#include "operator/kube/version.h"

namespace wsf::control {
namespace {

using boost::asio::ip::tcp;
using observe::Level;
using observe::Log;

// A report is small; a gateway names all its waiters at once.
constexpr int kSidecarMessageBytes = 64 * 1024;
constexpr int kGatewayMessageBytes = 4 << 20;
// A relay's call takes milliseconds: who stays longer waits for something else.
constexpr auto kRelayLifetime = std::chrono::seconds(10);
constexpr std::size_t kRelayConnections = 2000;
constexpr std::size_t kGatewayConnections = 256;
// A gateway has one, and those that it has given up and we do not know of yet; some networks give
// all gateways of a node one address.
constexpr std::size_t kConnectionsPerGateway = 32;
// A renewal that takes longer is tried anew before the lease is lost.
constexpr auto kLeaseCallTime = std::chrono::seconds(4);
// Another replica waits for it, and the kubelet for us.
constexpr auto kReleaseTime = std::chrono::seconds(2);
constexpr auto kResolveAgain = std::chrono::seconds(1);
constexpr auto kDrainTime = std::chrono::seconds(120);
constexpr auto kDrainLook = std::chrono::milliseconds(500);

guard::Guard::Options RelayGuard(std::size_t per_source) {
  guard::Guard::Options options;
  options.client_name = keys::kRelayName;
  options.limits.in_all = kRelayConnections;
  if (per_source > 0) options.limits.per_address = per_source;
  options.lifetime = kRelayLifetime;
  return options;
}

guard::Guard::Options GatewayGuard() {
  guard::Guard::Options options;
  options.client_name = keys::kGatewayName;
  options.limits.in_all = kGatewayConnections;
  options.limits.per_address = kConnectionsPerGateway;
  return options;
}

std::uint16_t PortOf(const std::string& address) {
  const auto endpoint = net::ParseEndpoint(address);
  return endpoint ? endpoint->port() : 0;
}

// "wss://ws.example.com:8443/x" -> "ws.example.com"; a function's hosts are lower case too.
std::string HostOfUrl(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  return absl::AsciiStrToLower(url.substr(begin, url.find_first_of(":/", begin) - begin));
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::Status Under(const char* flag, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
}

std::function<void(std::function<void()>)> PostTo(boost::asio::io_context& io) {
  return [&io](std::function<void()> work) { boost::asio::post(io, std::move(work)); };
}

}  // namespace

OperatorOptions Replica::OptionsOf(const Flags& flags) {
  OperatorOptions options;
  options.namespaces = flags.namespaces;
  options.public_url = flags.public_url;
  options.pods.relay_image = flags.relay_image;
  options.pods.relay_resources = flags.relay;
  options.pods.keep_from_eviction = flags.keeps_from_eviction;
  options.pods.cluster_gives_ids = flags.cluster_gives_ids;
  options.pods.relay_pull_secrets = flags.relay_pull_secrets;
  options.surplus = std::chrono::seconds(flags.surplus_seconds);
  options.scale_out_per_minute = flags.scale_out_per_minute;
  options.grants = flags.grants;
  options.grants.own_hosts.insert(HostOfUrl(flags.public_url));
  options.grants.platform_namespace = flags.ns;
  options.drains = flags.drains;
  return options;
}

// Followers dial what stands behind the last '_'. Where nobody elects it does not matter.
std::string Replica::Identity() const {
  if (!flags_.identity.empty()) return flags_.identity;
  std::string name = Environment("POD_NAME");
  if (name.empty()) name = NewUuid();
  return absl::StrCat(name, "_", Environment("POD_IP"));
}

Replica::Replica(boost::asio::io_context& io, const Flags& flags, const kube::Access& access)
    : io_(io),
      flags_(flags),
      client_(io, kube::MakeRestClient(access, PostTo(io)),
              [this](const char* verb, const std::string& path, int status) {
                measures_.OnApiAnswer(verb, path, status);
              }),
      lease_client_(kube::MakeRestClient(access, PostTo(io), kLeaseCallTime)),
      operator_(io, &client_, &measures_, OptionsOf(flags)),
      instance_service_(&operator_, &leader_, PortOf(flags.sidecar_listen)),
      fleet_service_(&operator_, &leader_, PortOf(flags.gateway_listen)),
      guard_io_(1),
      sidecar_port_(io, guard_io_, flags.sidecar_listen,
                    RelayGuard(flags.relay_connections_per_source), &instance_service_,
                    kSidecarMessageBytes),
      gateway_port_(io, guard_io_, flags.gateway_listen, GatewayGuard(), &fleet_service_,
                    kGatewayMessageBytes),
      keys_(io, &client_, flags.ns, flags.lives, [this](const keys::Keys& keys) { OnKeys(keys); }),
      leadership_(io, lease_client_.get(), flags.ns, Identity(),
                  flags.drains ? kube::Election::Claim::kAtOnce : kube::Election::Claim::kWhenDead,
                  &leader_,
                  {[this](std::int64_t term) { OnElected(term); }, [] { std::_Exit(1); }}),
      permit_(&client_),
      admin_({io, &operator_, &leader_, &permit_, &measures_, [this] { return Metrics(); },
              PortOf(flags.admin_listen)}),
      probes_({{"/healthz",
                [this] { return net::Probe(sidecar_port_.Answers() && gateway_port_.Answers()); }},
               {"/readyz", [this] { return net::Probe(open_); }}}),
      signals_(io, SIGTERM, SIGINT),
      timer_(io) {}

absl::Status Replica::Start() {
  if (const absl::Status status = sidecar_port_.Listen(); !status.ok())
    return Under("--sidecar-listen", status);
  if (const absl::Status status = gateway_port_.Listen(); !status.ok())
    return Under("--gateway-listen", status);
  if (const absl::Status status = ListenForPeople(); !status.ok()) return status;
  measures_.SetLeading(0);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) OnSignal();
  });
  net::Spawn(io_.get_executor(), Resolve());
  return absl::OkStatus();
}

absl::Status Replica::ListenForPeople() {
  absl::StatusOr<net::Acceptor> admin = net::Listen(io_, flags_.admin_listen);
  if (!admin.ok()) return Under("--admin-listen", admin.status());
  admin_acceptor_ = *std::move(admin);
  absl::StatusOr<net::Acceptor> probes = net::Listen(io_, flags_.probe_listen);
  if (!probes.ok()) return Under("--probe-listen", probes.status());
  probes_.Serve(*std::move(probes));
  return absl::OkStatus();
}

std::string Replica::Metrics() {
  const auto set = [this](const char* port, const guard::Guard::Refused& refused) {
    measures_.SetRefused(port, "full", refused.full);
    measures_.SetRefused(port, "certificate", refused.certificate);
    measures_.SetRefused(port, "frames", refused.frames);
  };
  set("relays", sidecar_port_.refused());
  set("gateways", gateway_port_.refused());
  return measures_.Text(operator_.fleet(), client_.awaited());
}

// A relay's image has no resolver: sidecars are told an address. Once is enough, a Service keeps
// its own.
net::awaitable<void> Replica::Resolve() {
  const std::string name = flags_.advertise.empty() ? flags_.sidecar_listen : flags_.advertise;
  std::string address = net::ParseEndpoint(name) ? name : "";
  const std::size_t colon = name.rfind(':');
  const std::string host = name.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : name.substr(colon + 1);
  tcp::resolver resolver(io_);
  while (address.empty()) {
    net::error_code error;
    const auto found = co_await resolver.async_resolve(host, port, net::Await(error));
    if (!error && !found.empty()) {
      const auto endpoint = found.begin()->endpoint();
      const std::string ip = endpoint.address().to_string();
      const bool is_v6 = endpoint.address().is_v6();
      address = absl::StrCat(is_v6 ? "[" : "", ip, is_v6 ? "]:" : ":", endpoint.port());
      break;
    }
    Log(Level::kWarning, "waiting for the address to advertise",
        {{"advertise", name}, {"error", error.message()}});
    timer_.expires_after(kResolveAgain);
    co_await timer_.async_wait(net::Await(error));
  }
  operator_.SetAddress(address);
  keys_.Start();
}

void Replica::OnKeys(const keys::Keys& keys) {
  operator_.SetKeys(keys);
  sidecar_port_.Use(keys.relays);
  gateway_port_.Use(keys.gateways);
  admin_.Use(keys.gateways);
  if (std::exchange(open_, true)) return;
  admin_.Serve(*std::exchange(admin_acceptor_, std::nullopt));
  guard_thread_ = std::thread([this] {
    const auto work = boost::asio::make_work_guard(guard_io_);
    guard_io_.run();
  });
  Log(Level::kInfo, "serving",
      {{"sidecars", flags_.sidecar_listen}, {"gateways", flags_.gateway_listen}});
  CheckVersion();
  if (flags_.elects || flags_.drains) return leadership_.Start();
  leader_.SetHere();
  OnElected(1);
}

// An old cluster is told of, and tried: a gate may have been opened there.
void Replica::CheckVersion() {
  client_.Get("/version", [](const kube::Response& response) {
    if (!response.ok()) return;
    const std::string against = kube::AgainstVersion(response.body);
    if (!against.empty()) return Log(Level::kError, against);
    Log(Level::kInfo, "kubernetes", {{"version", json::Text(response.body, "gitVersion")}});
  });
}

void Replica::OnElected(std::int64_t term) {
  measures_.SetLeading(1);
  operator_.Start(term);
  if (flags_.drains) AwaitDrained(std::chrono::steady_clock::now() + kDrainTime);
}

// Nothing is kept in memory that the API does not have.
void Replica::OnSignal() {
  leadership_.Release([] {
    observe::FinishLog();
    std::_Exit(0);
  });
  timer_.expires_after(kReleaseTime);
  timer_.async_wait([](const boost::system::error_code&) {
    observe::FinishLog();
    std::_Exit(0);
  });
}

// Whom we deposed may still create pods until it sees that; what it creates is ended too. The Lease
// is left as it is: who still runs waits for its end, and starts nothing meanwhile.
void Replica::AwaitDrained(TimePoint until) {
  if (leadership_.IsAlone() && operator_.IsDrained()) {
    Log(Level::kInfo, "drained");
    observe::FinishLog();
    std::_Exit(0);
  }
  if (std::chrono::steady_clock::now() >= until) operator_.StripFinalizers();
  timer_.expires_after(kDrainLook);
  timer_.async_wait([this, until](const boost::system::error_code& error) {
    if (!error) AwaitDrained(until);
  });
}

}  // namespace wsf::control
