// SPDX-License-Identifier: Apache-2.0
#include "common/kube/exec_plugin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/time.h"
#include "common/json/read.h"

extern char** environ;

namespace wsf::kube {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = 1 << 20;

std::map<std::string, std::string> Environment(const ExecPlugin& plugin) {
  std::map<std::string, std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::pair<std::string, std::string> entry =
        absl::StrSplit(*each, absl::MaxSplits('=', 1));
    all.insert(entry);
  }
  for (const auto& [name, value] : plugin.env) all[name] = value;
  Json spec = {{"interactive", false}};
  if (!plugin.cluster.empty()) spec["cluster"] = Json::parse(plugin.cluster, nullptr, false);
  all["KUBERNETES_EXEC_INFO"] =
      Json{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}}.dump();
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& each : *texts) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Its standard output is `output`; 0 and errno when it cannot be started.
pid_t Start(const ExecPlugin& plugin, int output) {
  std::vector<std::string> args = {plugin.command};
  args.insert(args.end(), plugin.args.begin(), plugin.args.end());
  std::vector<std::string> env;
  for (const auto& [name, value] : Environment(plugin)) env.push_back(name + "=" + value);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t pid = 0;
  errno = posix_spawnp(&pid, plugin.command.c_str(), &actions, nullptr, Pointers(&args).data(),
                       Pointers(&env).data());
  posix_spawn_file_actions_destroy(&actions);
  return errno == 0 ? pid : 0;
}

// What is written until the end, or what is wrong with that.
std::string ReadAll(int input, TimePoint until, std::string* text) {
  char buffer[4096];
  while (text->size() < kMostBytes) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd waits = {input, POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : poll(&waits, 1, static_cast<int>(left.count()));
    if (ready == 0) return "gave no credential in time";
    if (ready < 0) continue;
    const ssize_t size = read(input, buffer, sizeof buffer);
    if (size == 0) return "";
    if (size > 0) text->append(buffer, static_cast<std::size_t>(size));
    if (size < 0 && errno != EINTR) return absl::StrCat("cannot be read: ", std::strerror(errno));
  }
  return "prints more than a credential";
}

// How it has ended; "" = well. One that goes on behind its answer is ended at last.
std::string Await(pid_t pid, TimePoint until) {
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= until) kill(pid, SIGKILL);
    poll(nullptr, 0, 1);
  }
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return "";
  return absl::StrCat("failed with status ", WEXITSTATUS(status));
}

absl::Status Failure(const ExecPlugin& plugin, const std::string& what) {
  return absl::UnavailableError(absl::StrCat("the kubeconfig's ", plugin.command, " ", what,
                                             plugin.install_hint.empty() ? "" : "; ",
                                             plugin.install_hint));
}

}  // namespace

absl::StatusOr<ExecCredential> ParseExecCredential(const std::string& text) {
  const Json object = Json::parse(text, nullptr, false);
  const Json& status = json::Members(object, "status");
  ExecCredential credential;
  credential.token = json::Text(status, "token");
  credential.client_certificate = json::Text(status, "clientCertificateData");
  credential.client_key = json::Text(status, "clientKeyData");
  credential.expires = ParseRfc3339(json::Text(status, "expirationTimestamp"));
  const bool has_pair = !credential.client_certificate.empty() && !credential.client_key.empty();
  if (json::Text(object, "kind") != "ExecCredential" || (credential.token.empty() && !has_pair)) {
    return absl::InvalidArgumentError("printed no ExecCredential with a token or a certificate");
  }
  return credential;
}

absl::StatusOr<ExecCredential> RunPlugin(const ExecPlugin& plugin, std::chrono::seconds limit) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", std::strerror(errno)));
  }
  const pid_t pid = Start(plugin, ends[1]);
  const int start_error = errno;
  close(ends[1]);
  if (pid == 0) {
    close(ends[0]);
    return Failure(plugin, absl::StrCat("cannot be started: ", std::strerror(start_error)));
  }
  std::string text;
  const TimePoint until = std::chrono::steady_clock::now() + limit;
  const std::string unread = ReadAll(ends[0], until, &text);
  close(ends[0]);
  if (!unread.empty()) kill(pid, SIGKILL);
  const std::string failed = Await(pid, until);
  if (!unread.empty() || !failed.empty()) return Failure(plugin, unread.empty() ? failed : unread);
  absl::StatusOr<ExecCredential> credential = ParseExecCredential(text);
  if (!credential.ok()) return Failure(plugin, std::string(credential.status().message()));
  return credential;
}

}  // namespace wsf::kube
