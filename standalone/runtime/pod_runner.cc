// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/pod_runner.h"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "common/spec/function.h"
#include "standalone/runtime/addresses.h"

extern char** environ;

namespace wsf::runtime {
namespace {

constexpr std::uint16_t kRelayPort = 17009;
constexpr auto kMemorySample = std::chrono::milliseconds(100);
constexpr auto kRestartPause = std::chrono::seconds(1);
// After the relay's own end nobody has asked for a grace period yet.
constexpr auto kServerGrace = std::chrono::seconds(2);

// In the environment of every process of an instance, wherever it has gone.
const std::string kMarker = "WSF_POD_UID=";

std::string Field(const Json& pod, const std::string& path) {
  return json::AsText(json::Lookup(pod, "/" + absl::StrReplaceAll(path, {{".", "/"}})));
}

}  // namespace

PodRunner::PodRunner(boost::asio::io_context& io, Json pod, Placement placement,
                     Callbacks callbacks)
    : io_(io),
      pod_(std::move(pod)),
      placement_(std::move(placement)),
      callbacks_(std::move(callbacks)),
      grace_timer_(io),
      memory_timer_(io),
      restart_timer_(io) {
  server_.name = "function";
  relay_.name = "relay";
  server_.spec = json::Lookup(pod_, "/spec/initContainers/0");
  relay_.spec = json::Lookup(pod_, "/spec/containers/0");
  for (Container* each : {&server_, &relay_}) {
    each->state = {{"waiting", {{"reason", "ContainerCreating"}}}};
  }
  port_ = json::AsNumber(json::Lookup(server_.spec, "/ports/0/containerPort"), 9000);
  spec::FunctionSpec resources;
  resources.resources = json::Members(server_.spec, "resources");
  memory_limit_ = spec::MemoryLimitBytes(resources);
}

void PodRunner::Start() {
  // Whatever listens on this port of every address takes it here too: then another one serves.
  private_port_ = CanBind(placement_.address, port_) ? port_ : FreePort(placement_.address);
  StartServer();
  StartRelay();
  if (memory_limit_ > 0) WatchMemory();
}

std::vector<std::string> PodRunner::Environment(const Container& container) const {
  std::map<std::string, std::string> values;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string pair = *each;
    const std::size_t equals = pair.find('=');
    values[pair.substr(0, equals)] = pair.substr(std::min(pair.size(), equals + 1));
  }
  for (const Json& each : json::Items(container.spec, "env")) {
    std::string value = json::Text(each, "value");
    const Json& source = json::Members(each, "valueFrom", "fieldRef");
    const std::string path = json::Text(source, "fieldPath");
    if (path == "status.podIP") {
      value = placement_.address;
    } else if (!path.empty()) {
      value = Field(pod_, path);
    }
    values[json::Text(each, "name")] = value;
  }
  values["WSF_POD_UID"] = Field(pod_, "metadata.uid");
  std::vector<std::string> environment;
  for (const auto& [name, value] : values) environment.push_back(name + "=" + value);
  return environment;
}

// $(NAME), as Kubernetes expands it in command and args.
std::string PodRunner::Expand(const std::string& text,
                              const std::vector<std::string>& environment) const {
  std::string out = text;
  for (const std::string& pair : environment) {
    const std::size_t equals = pair.find('=');
    out =
        absl::StrReplaceAll(out, {{"$(" + pair.substr(0, equals) + ")", pair.substr(equals + 1)}});
  }
  return out;
}

void PodRunner::StartServer() {
  ProcessOptions options;
  options.environment = Environment(server_);
  for (const char* part : {"command", "args"}) {
    for (const std::string& each : json::Texts(server_.spec, part)) {
      options.command.push_back(Expand(each, options.environment));
    }
  }
  options.working_directory = json::Text(server_.spec, "workingDir");
  options.binds = ProcessOptions::Binds::kPrivate;
  Run(&server_, std::move(options));
}

void PodRunner::StartRelay() {
  ProcessOptions options;
  options.environment = Environment(relay_);
  options.command = {placement_.sidecar};
  for (const std::string& each : json::Texts(relay_.spec, "args")) {
    options.command.push_back(Expand(each, options.environment));
  }
  // What a pod has by its network namespace and its mounts is told by flags here; the last wins.
  options.command.push_back(absl::StrCat("--listen=", placement_.address, ":", kRelayPort));
  options.command.push_back("--server-address=" + placement_.address);
  options.command.push_back(absl::StrCat("--port=", private_port_));
  options.command.push_back("--token-file=" + placement_.folder + "/token");
  options.command.push_back("--termination-log=" + placement_.folder + "/termination");
  Run(&relay_, std::move(options));
}

void PodRunner::Run(Container* container, ProcessOptions options) {
  container->starting = true;
  if (options.command.empty()) {
    boost::asio::post(io_, [self = shared_from_this(), container] {
      self->OnFailedStart(container,
                          "no command: give spec.command (standalone mode runs no images)");
    });
    return;
  }
  Process::Callbacks callbacks;
  callbacks.on_started = [self = shared_from_this(), container](int listener) {
    self->OnStarted(container, listener);
  };
  callbacks.on_failed = [self = shared_from_this(), container](const std::string& error) {
    self->OnFailedStart(container, error);
  };
  callbacks.on_output = [self = shared_from_this(), container](const std::string& line) {
    self->callbacks_.on_output(container->name, line);
  };
  callbacks.on_exit = [self = shared_from_this(), container](const Exit& exit) {
    self->OnExit(container, exit);
  };
  container->process = Process::Start(io_, options, std::move(callbacks));
}

void PodRunner::OnStarted(Container* container, int listener) {
  container->starting = false;
  container->state = {{"running", {{"startedAt", Rfc3339Seconds(UnixMicros())}}}};
  if (listener >= 0) {
    port_keeper_ =
        std::make_shared<PortKeeper>(io_, listener, placement_.address, port_, private_port_);
    port_keeper_->Start();
  }
  Report();
}

void PodRunner::OnFailedStart(Container* container, const std::string& error) {
  container->starting = false;
  container->ended = true;
  container->process.reset();
  container->state = {{"waiting", {{"reason", "RunContainerError"}, {"message", error}}}};
  Report();
  if (container == &relay_) return OnRelayGone();
  CheckGone();
}

void PodRunner::OnExit(Container* container, const Exit& exit) {
  std::string reason = exit.code == 0 ? "Completed" : "Error";
  if (container->out_of_memory) reason = "OOMKilled";
  Json terminated = {
      {"exitCode", exit.code}, {"reason", reason}, {"finishedAt", Rfc3339(UnixMicros())}};
  if (exit.signal != 0) terminated["signal"] = exit.signal;
  container->ended = true;
  container->process.reset();
  if (container == &relay_) {
    terminated["message"] = TerminationMessage();
    container->state = {{"terminated", terminated}};
    Report();
    return OnRelayGone();
  }
  container->state = {{"terminated", terminated}};
  if (port_keeper_ != nullptr) port_keeper_->Stop();
  Report();
  if (relay_.ended || stopping_) return CheckGone();
  // A native sidecar container is started again while the main one runs.
  restart_timer_.expires_after(kRestartPause);
  restart_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->relay_.ended || self->stopping_) return;
    ++self->server_.restarts;
    self->server_.last_state = self->server_.state;
    self->server_.ended = false;
    self->server_.out_of_memory = false;
    self->StartServer();
  });
}

void PodRunner::OnRelayGone() {
  restart_timer_.cancel();
  if (server_.process != nullptr) {
    server_.process->Kill(SIGTERM);
    if (!stopping_) Stop(kServerGrace);
  }
  CheckGone();
}

void PodRunner::Stop(std::chrono::seconds grace) {
  const bool first = !std::exchange(stopping_, true);
  const TimePoint end = std::chrono::steady_clock::now() + grace;
  if (first || end < grace_timer_.expiry()) {
    grace_timer_.expires_at(end);
    grace_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->OnGraceOver();
    });
  }
  if (!first) return;
  restart_timer_.cancel();
  if (relay_.process != nullptr) {
    relay_.process->Kill(SIGTERM);
  } else if (server_.process != nullptr) {
    server_.process->Kill(SIGTERM);
  }
  CheckGone();
}

void PodRunner::OnGraceOver() {
  for (Container* each : {&relay_, &server_}) {
    if (each->process != nullptr) each->process->Kill(SIGKILL);
  }
}

void PodRunner::WatchMemory() {
  memory_timer_.expires_after(kMemorySample);
  memory_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->gone_) return;
    Container& server = self->server_;
    // Until its command runs, what is resident is ours.
    if (server.process != nullptr && !server.starting &&
        TreeResidentBytes(server.process->pid()) > self->memory_limit_) {
      server.out_of_memory = true;
      server.process->Kill(SIGKILL);
    }
    self->WatchMemory();
  });
}

std::string PodRunner::TerminationMessage() const {
  std::ifstream file(placement_.folder + "/termination");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return std::string(absl::StripAsciiWhitespace(text));
}

Json PodRunner::StatusOf(const Container& container) const {
  return {{"name", container.name},
          {"image", json::Text(container.spec, "image")},
          {"ready", container.state.contains("running")},
          {"started", container.state.contains("running")},
          {"restartCount", container.restarts},
          {"lastState", container.last_state},
          {"state", container.state}};
}

void PodRunner::Report() {
  // A moment later there is more to say.
  if ((server_.starting || relay_.starting) && !relay_.ended) return;
  std::string phase = "Running";
  if (relay_.ended && server_.ended) {
    const bool clean = json::NumberOr(1, relay_.state, "terminated", "exitCode") == 0;
    phase = clean ? "Succeeded" : "Failed";
  }
  callbacks_.on_status({{"phase", phase},
                        {"podIP", placement_.address},
                        {"podIPs", {{{"ip", placement_.address}}}},
                        {"hostIP", "127.0.0.1"},
                        {"initContainerStatuses", {StatusOf(server_)}},
                        {"containerStatuses", {StatusOf(relay_)}}});
}

void PodRunner::CheckGone() {
  if (gone_ || !relay_.ended || !server_.ended) return;
  gone_ = true;
  KillByVariable(kMarker + Field(pod_, "metadata.uid"));
  grace_timer_.cancel();
  memory_timer_.cancel();
  if (port_keeper_ != nullptr) port_keeper_->Stop();
  Report();
  std::exchange(callbacks_.on_gone, nullptr)();
}

void KillByVariable(const std::string& pair) {
  const std::string wanted = '\0' + pair + '\0';
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "environ");
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    if (('\0' + text).find(wanted) != std::string::npos) kill(pid, SIGKILL);
  }
}

std::int64_t TreeResidentBytes(pid_t root) {
  // One pass over /proc: parents and resident pages of everybody.
  std::multimap<pid_t, pid_t> children;
  std::map<pid_t, std::int64_t> pages;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    char state = 0;
    int parent = 0;
    if (std::sscanf(text.c_str() + name_end + 1, " %c %d", &state, &parent) != 2) continue;
    children.emplace(parent, pid);
    std::ifstream statm(entry.path() / "statm");
    std::int64_t total = 0;
    statm >> total >> pages[pid];
  }
  std::int64_t sum = 0;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    const pid_t pid = open.back();
    open.pop_back();
    sum += pages[pid];
    const auto [first, last] = children.equal_range(pid);
    for (auto each = first; each != last; ++each) open.push_back(each->second);
  }
  return sum * sysconf(_SC_PAGESIZE);
}

}  // namespace wsf::runtime
