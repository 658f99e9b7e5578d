// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/supervisor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/descriptors.h"
#include "common/base/ids.h"
#include "common/json/read.h"
#include "common/tls/certificate.h"
#include "standalone/api/objects.h"
#include "standalone/api/router.h"
#include "standalone/api/server.h"
#include "standalone/runtime/private_port.h"
#include "standalone/runtime/runtime.h"
#include "standalone/supervisor/component.h"
#include "standalone/supervisor/console.h"
#include "standalone/supervisor/current.h"
#include "standalone/supervisor/guardian.h"
#include "standalone/supervisor/private_file.h"
#include "standalone/supervisor/source_watch.h"

namespace wsf::supervisor {
namespace {

using api::Json;

constexpr int kExitUsage = 2;
constexpr char kLoopback[] = "127.0.0.1";
constexpr char kLoopback6[] = "::1";
constexpr int kApiPort = 6443;
constexpr int kSidecarPort = 9443;
constexpr int kGatewayPort = 9444;
constexpr int kOperatorAdminPort = 9445;
constexpr int kOperatorProbePort = 8083;
constexpr int kAdminPort = 8081;
constexpr int kProbePort = 8082;
constexpr auto kCertificateLife = std::chrono::hours(365 * 24);
constexpr auto kAuthorityLife = std::chrono::hours(3650 * 24);
constexpr char kSystemNamespace[] = "wsf-system";
constexpr auto kSourceInterval = std::chrono::milliseconds(500);
// How long pods get at the end before the guardian kills what is left.
constexpr auto kShutdownTime = std::chrono::seconds(4);
// For sessions to end and to be recorded: a server that ignores its SIGTERM is killed after two.
constexpr auto kSettleTime = std::chrono::seconds(6);
constexpr auto kSecondThoughts = std::chrono::milliseconds(500);

int Fail(const std::string& what) {
  std::fprintf(stderr, "wsf: %s\n", what.c_str());
  return kExitUsage;
}

bool IsLoopback(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

// As in URLs: an IPv6 address has colons of its own.
std::string InBrackets(const std::string& host) {
  return absl::StrContains(host, ':') ? "[" + host + "]" : host;
}

// `localhost` is ::1 to some clients, and no other address (Node 18).
std::string ClientAddresses(const std::string& host, int port) {
  const std::string address = absl::StrCat(InBrackets(host), ":", port);
  const bool both =
      host == kLoopback && runtime::CanBind(kLoopback6, static_cast<std::uint16_t>(port));
  return both ? absl::StrCat(address, ",[", kLoopback6, "]:", port) : address;
}

std::string NameOf(const Json& function) {
  return json::TextOr("default", function, "metadata", "namespace") + "/" +
         json::Text(function, "metadata", "name");
}

// Reading top to bottom is reading standalone mode.
class Supervisor {
 public:
  Supervisor(const Options& options, runtime::Addresses addresses, std::string data_folder,
             int port)
      : options_(options),
        data_(std::move(data_folder)),
        port_(port),
        client_addresses_(ClientAddresses(options.host, port)),
        io_(1),
        addresses_(std::move(addresses)),
        platform_(addresses_.Platform()),
        console_(options.records_path),
        objects_(&store_),
        runtime_(io_, &objects_, &addresses_,
                 {data_, options.programs_folder + "/wsf-sidecar",
                  [this](const std::string& pod, const std::string& line) {
                    console_.OnServerOutput(pod, line);
                  }}),
        router_(
            &objects_,
            {[this](const std::string& token) { return runtime_.ReviewToken(token); },
             [this](const std::string& ns, const std::string& pod, const std::string& container) {
               return runtime_.ReadLog(ns, pod, container);
             },
             absl::StrCat(platform_, ":", kOperatorAdminPort), Hex(RandomBytes(32))}) {}

  int Run() {
    if (!console_.ok()) return Fail("cannot write --records " + options_.records_path);
    if (!options_.ready_path.empty() && !WritePrivateFile(options_.ready_path + ".probe", "")) {
      return Fail("cannot write --ready-file " + options_.ready_path);
    }
    unlink((options_.ready_path + ".probe").c_str());
    if (const int status = StartApi(); status != 0) return status;
    if (const int status = CreateObjects(); status != 0) return status;
    if (options_.nodes == Options::Nodes::kProcesses) runtime_.Start();
    WatchSource();
    AwaitGatewayCertificate();
    StartOperator();
    boost::asio::signal_set signals(io_, SIGINT, SIGTERM);
    if (!IsIgnored(SIGHUP)) signals.add(SIGHUP);
    AwaitSignal(&signals);
    io_.run();
    return status_;
  }

 private:
  // Whoever presses Ctrl-C again does not want to wait.
  void AwaitSignal(boost::asio::signal_set* signals) {
    signals->async_wait([this, signals](const boost::system::error_code& error, int number) {
      if (error) return;
      const TimePoint now = std::chrono::steady_clock::now();
      if (number == SIGINT && stopping_ && now > stopping_since_ + kSecondThoughts) EndPods();
      ShutDown(0);
      AwaitSignal(signals);
    });
  }

  int StartApi() {
    const std::int64_t now = UnixMicros();
    const tls::KeyPair authority = tls::MakeAuthority("wsf standalone API", kAuthorityLife, now);
    const tls::KeyPair own =
        tls::Issue(authority, {"wsf-api", "localhost", platform_, kCertificateLife}, now);
    const tls::KeyPair admin = tls::Issue(authority, {"admin", "", "", kCertificateLife}, now);
    server_ = std::make_unique<api::Server>(io_, authority.certificate, own, &router_, &store_);
    const absl::Status listening = server_->Start(absl::StrCat(platform_, ":", kApiPort));
    if (!listening.ok()) return Fail(std::string(listening.message()));
    const std::string url = absl::StrCat("https://", platform_, ":", kApiPort);
    kubeconfig_ = data_ + "/kubeconfig";
    if (!WritePrivateFile(kubeconfig_, Kubeconfig(url, authority.certificate, admin))) {
      return Fail("cannot write " + kubeconfig_);
    }
    return 0;
  }

  int CreateObjects() {
    const api::Resource& namespaces = *api::FindResource("/api/v1", "namespaces");
    const api::Resource& secrets = *api::FindResource("/api/v1", "secrets");
    const api::Resource& functions =
        *api::FindResource("/apis/wsf.dev/v1alpha1", "websocketfunctions");
    for (const char* name : {"default", kSystemNamespace}) {
      objects_.Create(namespaces, "", {{"metadata", {{"name", name}}}});
    }
    for (const char* name : {"wsf-operator-keys", "wsf-gateway-tls"}) {
      objects_.Create(
          secrets, kSystemNamespace,
          {{"metadata", {{"name", name}}}, {"type", "Opaque"}, {"data", Json::object()}});
    }
    for (const Json& function : options_.functions) {
      const std::string ns = json::TextOr("default", function, "metadata", "namespace");
      objects_.Create(namespaces, "", {{"metadata", {{"name", ns}}}});
      const auto result = objects_.Create(functions, ns, function);
      if (const auto* error = std::get_if<api::Error>(&result)) return Fail(error->message);
    }
    return 0;
  }

  void StartOperator() {
    std::vector<std::string> command = {
        options_.programs_folder + "/wsf-operator",
        "--kubeconfig=" + kubeconfig_,
        absl::StrCat("--namespace=", kSystemNamespace),
        absl::StrCat("--sidecar-listen=", platform_, ":", kSidecarPort),
        absl::StrCat("--gateway-listen=", platform_, ":", kGatewayPort),
        absl::StrCat("--admin-listen=", platform_, ":", kOperatorAdminPort),
        absl::StrCat("--probe-listen=", platform_, ":", kOperatorProbePort),
        "--max-relay-connections-per-source=0",  // all come from one machine
        absl::StrCat("--public-url=ws://", UrlHost(), ":", port_)};
    command.insert(command.end(), options_.operator_flags.begin(), options_.operator_flags.end());
    operator_ = std::make_unique<Component>(
        io_, command, [this](const std::string& line) { console_.OnLog(line); },
        [this](const std::string& line) { console_.Complain(line); },
        [this] { ShutDown(kExitUsage); });
    operator_->Start();
  }

  // What the kubelet does with a mounted Secret: the gateway finds files.
  void AwaitGatewayCertificate() {
    subscription_ = store_.Subscribe([this](const api::Change& change) {
      const Json& object = *change.object;
      if (json::Text(object, "metadata", "name") != "wsf-gateway-tls") return;
      const Json& data = json::Members(object, "data");
      if (data.empty()) return;
      if (WriteGatewayCertificate(data)) {
        boost::asio::post(io_, [this] { StartGateway(); });
      } else if (gateway_ == nullptr) {
        boost::asio::post(io_, [this] { ShutDown(1); });
      }
    });
  }

  bool WriteGatewayCertificate(const Json& data) {
    const std::string folder = data_ + "/gateway-tls";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    bool written = !error;
    for (const auto& [name, value] : data.items()) {
      std::string text;
      absl::Base64Unescape(json::AsText(value), &text);
      written = written && WritePrivateFile(folder + "/" + name, text);
    }
    if (!written) {
      console_.Complain("wsf: cannot write to " + folder + "; is its disk full?");
    }
    return written;
  }

  void StartGateway() {
    if (gateway_ != nullptr || stopping_) return;
    std::vector<std::string> command = {options_.programs_folder + "/wsf-gateway",
                                        "--listen=" + client_addresses_,
                                        absl::StrCat("--admin-listen=", platform_, ":", kAdminPort),
                                        absl::StrCat("--probe-listen=", platform_, ":", kProbePort),
                                        absl::StrCat("--operator=", platform_, ":", kGatewayPort),
                                        "--operator-tls=" + data_ + "/gateway-tls"};
    if (!options_.functions.empty()) {
      command.push_back("--default-function=" + NameOf(options_.functions.front()));
    }
    if (IsLoopback(options_.host)) command.push_back("--loopback-only");
    for (const std::string& each : options_.allowed_origins) {
      command.push_back("--allow-origin=" + each);
    }
    command.insert(command.end(), options_.gateway_flags.begin(), options_.gateway_flags.end());
    gateway_ = std::make_unique<Component>(
        io_, command,
        [this](const std::string& line) {
          const Json log = Json::parse(line, nullptr, false);
          if (log.is_object() && json::Text(log, "msg") == "ready") return OnReady();
          console_.OnLog(line);
        },
        [this](const std::string& line) { console_.Complain(line); },
        [this] { ShutDown(kExitUsage); });
    gateway_->Start();
  }

  std::string UrlHost() const {
    const bool is_local =
        options_.host == kLoopback || options_.host == "0.0.0.0" || options_.host == "::";
    return is_local ? "localhost" : InBrackets(options_.host);
  }

  void OnReady() {
    if (std::exchange(ready_, true)) return;
    const std::string url = absl::StrCat("ws://", UrlHost(), ":", port_, "/");
    if (!options_.ready_path.empty()) {
      const Json ready = {{"url", url},
                          {"tryUrl", absl::StrCat("http://", platform_, ":", kAdminPort, "/_try/")},
                          {"adminUrl", absl::StrCat("http://", platform_, ":", kAdminPort)},
                          {"kubeconfig", kubeconfig_},
                          {"pid", getpid()},
                          {"operatorPid", operator_->pid()},
                          {"gatewayPid", gateway_->pid()}};
      WritePrivateFile(options_.ready_path, ready.dump() + "\n");
    }
    current_ = std::make_unique<Current>(kubeconfig_);
    console_.Say(absl::StrCat(
        "\n  ", url, "\n\nEach connection gets a process of its own. Try it:  wsf connect ", url,
        "\nSessions:  wsf sessions -w    Ctrl-C ends everything.\nkubectl --kubeconfig ",
        kubeconfig_, " get wsf -w\n"));
  }

  // New connections get what was written last; live sessions stay on theirs (U10, S3-05).
  void WatchSource() {
    if (options_.source_folder.empty()) return;
    const std::string now = Fingerprint(options_.source_folder);
    if (std::exchange(source_, now) != now) {
      const Json& function = options_.functions.front();
      const Json& spec = json::Members(function, "spec");
      Json env = json::Items(spec, "env");
      env.push_back({{"name", "WSF_SOURCE"}, {"value", now}});
      objects_.Patch(*api::FindResource("/apis/wsf.dev/v1alpha1", "websocketfunctions"),
                     json::TextOr("default", function, "metadata", "namespace"),
                     json::Text(function, "metadata", "name"), api::Objects::Part::kObject,
                     "application/merge-patch+json", {{"spec", {{"env", env}}}});
    }
    source_timer_.expires_after(kSourceInterval);
    source_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) WatchSource();
    });
  }

  void ShutDown(int status) {
    if (std::exchange(stopping_, true)) return;
    stopping_since_ = std::chrono::steady_clock::now();
    status_ = status;
    // The operator ends what is live as when a function is deleted (P15), and records it.
    const api::Resource& functions =
        *api::FindResource("/apis/wsf.dev/v1alpha1", "websocketfunctions");
    for (const auto& function : store_.List(functions, "")) {
      const Json& metadata = (*function)["metadata"];
      objects_.Delete(functions, metadata["namespace"], metadata["name"], Json::object());
    }
    AwaitPods(Pods().size(), stopping_since_);
  }

  std::vector<api::Store::Object> Pods() const {
    return store_.List(*api::FindResource("/api/v1", "pods"), "");
  }

  // As long as their number falls: `least` was reached at `since`.
  void AwaitPods(std::size_t least, TimePoint since) {
    const std::size_t left = Pods().size();
    if (left == 0) return StopParts();
    const TimePoint now = std::chrono::steady_clock::now();
    if (left < least) since = now;
    if (now > since + kSettleTime) EndPods();
    idle_timer_.expires_after(std::chrono::milliseconds(20));
    idle_timer_.async_wait([this, left, since](const boost::system::error_code& error) {
      if (!error) AwaitPods(left, since);
    });
  }

  // Whatever runs has two seconds more; the operator still records it.
  void EndPods() {
    if (std::exchange(pods_end_, true)) return;
    const api::Resource& pods = *api::FindResource("/api/v1", "pods");
    for (const auto& pod : store_.List(pods, "")) {
      const Json& metadata = (*pod)["metadata"];
      objects_.Delete(pods, metadata["namespace"], metadata["name"], {{"gracePeriodSeconds", 2}});
    }
    shutdown_timer_.expires_after(kShutdownTime);
    shutdown_timer_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
  }

  void StopParts() {
    EndPods();  // none is left; but the time that is left now is bounded
    if (gateway_ != nullptr) gateway_->Stop();
    operator_->Stop();
    StopWhenIdle();
  }

  void StopWhenIdle() {
    const bool children = (gateway_ != nullptr && gateway_->running()) || operator_->running();
    if (runtime_.idle() && !children) return io_.stop();
    idle_timer_.expires_after(std::chrono::milliseconds(20));
    idle_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) StopWhenIdle();
    });
  }

  const Options& options_;
  const std::string data_;
  const int port_;
  const std::string client_addresses_;
  boost::asio::io_context io_;
  runtime::Addresses addresses_;
  const std::string platform_;
  Console console_;
  api::Store store_;
  api::Objects objects_;
  runtime::Runtime runtime_;
  api::Router router_;
  std::unique_ptr<api::Server> server_;
  std::shared_ptr<void> subscription_;
  std::unique_ptr<Component> operator_;
  std::unique_ptr<Component> gateway_;
  std::unique_ptr<Current> current_;
  boost::asio::steady_timer shutdown_timer_{io_};
  boost::asio::steady_timer idle_timer_{io_};
  boost::asio::steady_timer source_timer_{io_};
  std::string source_;
  std::string kubeconfig_;
  int status_ = 0;
  bool ready_ = false;
  bool stopping_ = false;
  TimePoint stopping_since_;
  bool pods_end_ = false;
};

}  // namespace

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();  // each instance takes seven
  if (options.nodes == Options::Nodes::kProcesses) {
    if (const auto wrong = runtime::private_port::Probe()) {
      return Fail("instances cannot get a port of their own here: " + *wrong);
    }
  }
  auto addresses = runtime::Addresses::Reserve();
  if (!addresses) return Fail("64 others run on this machine already; end one of them");
  if (runtime::FreePort(options.host) == 0) {
    return Fail("--host " + options.host + " is no IP address of this machine");
  }
  int port = options.port;
  if (port == 0) port = runtime::FreePort(options.host);
  if (!runtime::CanBind(options.host, static_cast<std::uint16_t>(port))) {
    return Fail(absl::StrCat("port ", port, " of ", options.host,
                             " is in use or not ours; choose another with -p"));
  }
  if (!IsLoopback(options.host)) {
    std::fprintf(stderr, "wsf: warning: --host %s lets other machines run your command\n",
                 options.host.c_str());
  }
  std::string data = options.data_folder;
  const bool temporary = data.empty();
  if (temporary) {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/wsf-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) return Fail("cannot make a folder in " + pattern);
    data = pattern;
  } else {
    std::error_code error;
    std::filesystem::create_directories(data, error);
    if (error) return Fail("cannot make " + data + ": " + error.message());
  }
  const int lock = open((data + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return Fail("another wsf uses --data " + data + "; give this one a folder of its own");
  }
  int status = 0;
  {
    Supervisor supervisor(options, *std::move(addresses), data, port);
    status = supervisor.Run();
  }
  std::error_code ignored;
  if (temporary) std::filesystem::remove_all(data, ignored);
  return status;
}

}  // namespace wsf::supervisor
