// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/runtime.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/json/read.h"
#include "standalone/runtime/log_file.h"

namespace wsf::runtime {
namespace {

using api::Json;

const api::Resource& Pods() { return *api::FindResource("/api/v1", "pods"); }

bool WriteSecret(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const ssize_t written = write(file, text.data(), text.size());
  close(file);
  return written == static_cast<ssize_t>(text.size());
}

constexpr std::size_t kMaxKeptLogs = 200;
constexpr char kAudience[] = "wsf-operator";

std::string LogOf(const std::string& data_folder, const std::string& ns, const std::string& pod) {
  return data_folder + "/logs/" + ns + "." + pod + ".log";
}

// Made by somebody else than the operator: this runtime runs no other shape.
bool HasOurShape(const Json& pod) {
  const Json& spec = json::Members(pod, "spec");
  const Json& servers = json::Items(spec, "initContainers");
  const Json& relays = json::Items(spec, "containers");
  return servers.size() == 1 && relays.size() == 1 &&
         json::Text(servers[0], "name") == "function" &&
         json::Items(servers[0], "ports").size() == 1;
}

// Shaped as an API server's (RFC 7515 section 3.1), so that it says whose it is; what would be the
// signature is a secret that only we know.
std::string MakeToken(const std::string& pod_uid) {
  const Json claims = {{"aud", {kAudience}}, {"kubernetes.io", {{"pod", {{"uid", pod_uid}}}}}};
  const std::string payload = absl::WebSafeBase64Escape(claims.dump());
  return absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"none"})"), ".", payload, ".",
                      Hex(RandomBytes(32)));
}

}  // namespace

Runtime::Runtime(boost::asio::io_context& io, api::Objects* objects, Addresses* addresses,
                 Options options)
    : io_(io), objects_(objects), addresses_(addresses), options_(std::move(options)) {}

void Runtime::Start() {
  subscription_ = objects_->store().Subscribe([this](const api::Change& change) {
    // Later: a change of the store must not run within another.
    boost::asio::post(io_, [this, change] { OnPod(change); });
  });
}

void Runtime::OnPod(const api::Change& change) {
  if (change.resource != &Pods()) return;
  const Json& pod = *change.object;
  const std::string uid = json::Text(pod, "metadata", "uid");
  const auto found = running_.find(uid);
  const bool deleting = pod["metadata"].contains("deletionTimestamp");
  const bool removed = change.type == api::Change::Type::kDeleted;
  if (found != running_.end()) {
    const std::int64_t grace = json::Number(pod, "metadata", "deletionGracePeriodSeconds");
    if (deleting || removed) found->second.runner->Stop(std::chrono::seconds(grace));
  } else if (!deleting && !removed && json::Text(pod, "status", "phase") == "Pending") {
    if (HasOurShape(pod)) StartPod(pod);
  } else if (deleting && !removed) {
    objects_->FinishPod(pod["metadata"]["namespace"], pod["metadata"]["name"]);
  }
}

void Runtime::StartPod(const Json& pod) {
  const Json& metadata = pod["metadata"];
  const std::string uid = metadata["uid"];
  Running running;
  running.ns = metadata["namespace"];
  running.name = metadata["name"];
  running.address = addresses_->Take(std::chrono::steady_clock::now());
  running.folder = options_.data_folder + "/pods/" + uid;
  running.token = MakeToken(uid);
  if (running.address.empty()) {
    return Refuse(running, "NoAddress", "every loopback address of this wsf is in use");
  }
  std::error_code error;
  std::filesystem::create_directories(running.folder, error);
  if (error || !WriteSecret(running.folder + "/token", running.token)) {
    return Refuse(running, "NoStorage",
                  "cannot write to " + options_.data_folder + ": " +
                      (error ? error.message() : "is its disk full?"));
  }
  // One that says nothing has a log too.
  const auto server_log = std::make_shared<LogFile>(running.folder + "/function.log");
  const auto relay_log = std::make_shared<LogFile>(running.folder + "/relay.log");

  PodRunner::Callbacks callbacks;
  callbacks.on_status = [this, ns = running.ns, name = running.name](const Json& status) {
    const Json patch = {{"status", status}};
    objects_->Patch(Pods(), ns, name, api::Objects::Part::kStatus, "application/merge-patch+json",
                    patch);
  };
  callbacks.on_output = [this, name = running.name, server_log, relay_log](
                            const std::string& container, const std::string& line) {
    const bool is_server = container == "function";
    (is_server ? server_log : relay_log)->Append(line);
    if (is_server) options_.on_server_output(name, line);
  };
  callbacks.on_gone = [this, uid] { boost::asio::post(io_, [this, uid] { OnGone(uid); }); };
  const Placement placement = {running.address, running.folder, options_.sidecar};
  running.runner = std::make_shared<PodRunner>(io_, pod, placement, std::move(callbacks));
  const auto runner = running.runner;
  running_[uid] = std::move(running);
  runner->Start();
}

// It ends before it was anything: the operator takes that for a start that failed.
void Runtime::Refuse(const Running& pod, const std::string& reason, const std::string& message) {
  if (!pod.address.empty()) addresses_->GiveBack(pod.address, std::chrono::steady_clock::now());
  const Json waiting = {
      {"name", "function"},
      {"state", {{"waiting", {{"reason", "RunContainerError"}, {"message", message}}}}}};
  objects_->Patch(Pods(), pod.ns, pod.name, api::Objects::Part::kStatus,
                  "application/merge-patch+json",
                  {{"status",
                    {{"phase", "Failed"},
                     {"reason", reason},
                     {"message", message},
                     {"initContainerStatuses", {waiting}}}}});
}

void Runtime::OnGone(const std::string& uid) {
  const auto found = running_.find(uid);
  if (found == running_.end()) return;
  addresses_->GiveBack(found->second.address, std::chrono::steady_clock::now());
  objects_->FinishPod(found->second.ns, found->second.name);
  KeepLog(found->second);
  std::error_code ignored;
  std::filesystem::remove_all(found->second.folder, ignored);
  running_.erase(found);
}

void Runtime::KeepLog(const Running& running) {
  std::error_code error;
  const std::string path = LogOf(options_.data_folder, running.ns, running.name);
  std::filesystem::create_directories(options_.data_folder + "/logs", error);
  if (!MoveLog(running.folder + "/function.log", path)) return;
  kept_logs_.push_back(path);
  if (kept_logs_.size() <= kMaxKeptLogs) return;
  RemoveLog(kept_logs_.front());
  kept_logs_.pop_front();
}

Json Runtime::ReviewToken(const std::string& token) const {
  for (const auto& [uid, running] : running_) {
    if (!EqualInConstantTime(token, running.token)) continue;
    const Json extra = {{"authentication.kubernetes.io/pod-uid", {uid}},
                        {"authentication.kubernetes.io/pod-name", {running.name}}};
    return {{"authenticated", true},
            {"audiences", {kAudience}},
            {"user",
             {{"username", "system:serviceaccount:" + running.ns + ":default"}, {"extra", extra}}}};
  }
  return {{"authenticated", false}, {"error", "the token belongs to no running pod"}};
}

std::optional<std::string> Runtime::ReadLog(const std::string& ns, const std::string& pod,
                                            const std::string& container) const {
  for (const auto& [uid, running] : running_) {
    if (running.ns != ns || running.name != pod) continue;
    if (container != "function" && container != "relay") return std::nullopt;
    return runtime::ReadLog(running.folder + "/" + container + ".log");
  }
  const std::string path = LogOf(options_.data_folder, ns, pod);
  const bool is_kept = std::find(kept_logs_.begin(), kept_logs_.end(), path) != kept_logs_.end();
  if (!is_kept || container != "function") return std::nullopt;
  return runtime::ReadLog(path);
}

}  // namespace wsf::runtime
