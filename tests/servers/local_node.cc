// SPDX-License-Identifier: Apache-2.0
//
// wsf-local-node KUBECONFIG FOLDER PROGRAMS: standalone's node for a real API server. Runs every
// pod of the operator's shape as processes of this machine, with a token that the API server gave.
// With `none` for PROGRAMS it runs no pod and keeps its network only: the test plays the kubelet.
// Says {"platform": ADDRESS} once it has a network of its own, then what the servers say. SIGTERM
// ends all pods' processes, then itself.

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/kube/kubeconfig.h"
#include "common/kube/rest_client.h"
#include "operator/kube/informer.h"
#include "standalone/runtime/addresses.h"
#include "standalone/runtime/pod_runner.h"

namespace wsf {
namespace {

using kube::Json;
using kube::Response;

constexpr int kTokenSeconds = 3600;
constexpr std::chrono::seconds kLastGrace(2);
constexpr std::chrono::milliseconds kAgain(200);

void WriteSecret(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}

void Say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// Made by somebody else than the operator: not ours to run.
bool HasOurShape(const Json& pod) {
  const Json spec = pod.value("spec", Json::object());
  const Json servers = spec.value("initContainers", Json::array());
  return servers.size() == 1 && servers[0].value("name", "") == "function";
}

// What a kubelet does with a pod, step by step: bind, token, run, report, remove.
class LocalPod : public std::enable_shared_from_this<LocalPod> {
 public:
  LocalPod(boost::asio::io_context& io, kube::Client* client, runtime::Addresses* addresses,
           std::string folder, std::string sidecar, Json pod)
      : io_(io),
        client_(client),
        addresses_(addresses),
        folder_(std::move(folder)),
        sidecar_(std::move(sidecar)),
        pod_(std::move(pod)),
        name_(pod_["metadata"]["name"].get<std::string>()),
        namespace_path_("/api/v1/namespaces/" + pod_["metadata"]["namespace"].get<std::string>()),
        path_(namespace_path_ + "/pods/" + name_) {}

  void Start() {
    const Json binding = {{"apiVersion", "v1"},
                          {"kind", "Binding"},
                          {"metadata", {{"name", name_}}},
                          {"target", {{"kind", "Node"}, {"name", "local"}}}};
    Persist([=, this](Callback done) { client_->Create(path_ + "/binding", binding, done); },
            [this](const Response&) { AskForToken(); });
  }

  void Delete(std::chrono::seconds grace) {
    deleting_ = true;
    if (!idle()) return runner_->Stop(grace);
    Remove();
  }

  // No wish of the API's: this node ends.
  void Stop() {
    if (!idle()) runner_->Stop(kLastGrace);
  }

  // Without a process.
  bool idle() const { return runner_ == nullptr || gone_; }

 private:
  using Callback = kube::Client::Callback;

  // Until an API server has done it, or has said that the pod is not there or another one: it may
  // be away, and it refuses everybody while it starts.
  void Persist(std::function<void(Callback)> send, std::function<void(const Response&)> then) {
    send([self = shared_from_this(), send, then](const Response& response) {
      const int status = response.status;
      if (response.ok() || status == 404 || status == 409 || status == 422) return then(response);
      const auto timer = std::make_shared<boost::asio::steady_timer>(self->io_, kAgain);
      timer->async_wait([self, timer, send, then](const boost::system::error_code& error) {
        if (!error) self->Persist(send, then);
      });
    });
  }

  void AskForToken() {
    if (deleting_) return Remove();
    const Json bound = {
        {"apiVersion", "v1"}, {"kind", "Pod"}, {"name", name_}, {"uid", pod_["metadata"]["uid"]}};
    const Json request = {{"apiVersion", "authentication.k8s.io/v1"},
                          {"kind", "TokenRequest"},
                          {"spec",
                           {{"audiences", {"wsf-operator"}},
                            {"expirationSeconds", kTokenSeconds},
                            {"boundObjectRef", bound}}}};
    const std::string path = namespace_path_ + "/serviceaccounts/default/token";
    Persist([=, this](Callback done) { client_->Create(path, request, done); },
            [this](const Response& response) {
              if (!response.ok()) return Say("! no token: " + response.Message());
              Run(response.body["status"].value("token", ""));
            });
  }

  void Run(const std::string& token) {
    if (deleting_) return Remove();
    std::filesystem::create_directories(folder_);
    WriteSecret(folder_ + "/token", token);
    address_ = addresses_->Take(std::chrono::steady_clock::now());
    runtime::PodRunner::Callbacks callbacks;
    callbacks.on_status = [self = shared_from_this()](const Json& status) {
      self->status_ = status;
      self->Report();
    };
    callbacks.on_output = [name = name_](const std::string& container, const std::string& line) {
      if (container == "function") Say(name + " | " + line);
    };
    callbacks.on_gone = [self = shared_from_this()] {
      boost::asio::post(self->io_, [self] { self->OnGone(); });
    };
    const runtime::Placement placement = {address_, folder_, sidecar_};
    runner_ = std::make_shared<runtime::PodRunner>(io_, pod_, placement, std::move(callbacks));
    runner_->Start();
  }

  void OnGone() {
    gone_ = true;
    addresses_->GiveBack(address_, std::chrono::steady_clock::now());
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    if (deleting_) Remove();
  }

  // One at a time, so that an older status never replaces a newer one.
  void Report() {
    if (reporting_ || status_.is_null()) return;
    reporting_ = true;
    const Json patch = {{"metadata", {{"uid", pod_["metadata"]["uid"]}}}, {"status", status_}};
    status_ = nullptr;
    Persist(
        [=, this](Callback done) {
          client_->Apply(path_ + "/status", kube::Patch::kMerge, patch, done);
        },
        [this](const Response& response) {
          reporting_ = false;
          if (!response.ok() && response.status != 404) {
            Say("! no status: " + response.Message());
          }
          Report();
          if (removing_) Remove();
        });
  }

  // After the last status: the operator reads how the containers ended.
  void Remove() {
    removing_ = true;
    if (reporting_ || removed_) return;
    removed_ = true;
    const Json options = {{"apiVersion", "v1"},
                          {"kind", "DeleteOptions"},
                          {"gracePeriodSeconds", 0},
                          {"preconditions", {{"uid", pod_["metadata"]["uid"]}}}};
    Persist([=, this](Callback done) { client_->Delete(path_, options, done); },
            [](const Response&) {});
  }

  boost::asio::io_context& io_;
  kube::Client* const client_;
  runtime::Addresses* const addresses_;
  const std::string folder_;
  const std::string sidecar_;
  Json pod_;
  const std::string name_;
  const std::string namespace_path_;
  const std::string path_;
  std::string address_;
  std::shared_ptr<runtime::PodRunner> runner_;
  Json status_;  // to be told; null = none
  bool reporting_ = false;
  bool deleting_ = false;
  bool gone_ = false;
  bool removing_ = false;
  bool removed_ = false;
};

class LocalNode {
 public:
  LocalNode(boost::asio::io_context& io, const kube::Access& access, runtime::Addresses addresses,
            std::string folder, std::string sidecar)
      : io_(io),
        client_(kube::MakeRestClient(
            access, [&io](std::function<void()> work) { boost::asio::post(io, std::move(work)); })),
        addresses_(std::move(addresses)),
        folder_(std::move(folder)),
        sidecar_(std::move(sidecar)),
        pods_(io, client_.get(), "/api/v1/pods", "",
              {[this](const Json& pod) { OnPod(pod); },
               [this](const std::string& uid) { OnRemoved(uid); }, [] {},
               [](const std::string& name, const std::string& error) {
                 std::fprintf(stderr, "wsf-local-node: %s: %s\n", name.c_str(), error.c_str());
               }}),
        timer_(io) {}

  void Start() {
    Say(Json{{"platform", addresses_.Platform()}}.dump());
    if (!sidecar_.empty()) pods_.List();
  }

  void Stop() {
    stopping_ = true;
    for (const auto& [uid, pod] : pods_here_) pod->Stop();
    StopWhenIdle();
  }

 private:
  void OnPod(const Json& pod) {
    const Json& metadata = pod["metadata"];
    const std::string uid = metadata["uid"];
    auto found = pods_here_.find(uid);
    const bool deleting = metadata.contains("deletionTimestamp");
    if (found == pods_here_.end()) {
      if (stopping_ || !HasOurShape(pod)) return;
      const auto fresh = std::make_shared<LocalPod>(io_, client_.get(), &addresses_,
                                                    folder_ + "/" + uid, sidecar_, pod);
      found = pods_here_.emplace(uid, fresh).first;
      if (!deleting) fresh->Start();
    }
    const auto grace = std::chrono::seconds(metadata.value("deletionGracePeriodSeconds", 0));
    if (deleting) found->second->Delete(grace);
  }

  // Removed by force, perhaps: its processes are not to outlive it.
  void OnRemoved(const std::string& uid) {
    const auto found = pods_here_.find(uid);
    if (found == pods_here_.end()) return;
    found->second->Delete(std::chrono::seconds(0));
    if (found->second->idle()) pods_here_.erase(found);
  }

  void StopWhenIdle() {
    bool idle = true;
    for (const auto& [uid, pod] : pods_here_) idle &= pod->idle();
    if (idle) return io_.stop();
    timer_.expires_after(std::chrono::milliseconds(20));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) StopWhenIdle();
    });
  }

  boost::asio::io_context& io_;
  const std::unique_ptr<kube::Client> client_;
  runtime::Addresses addresses_;
  const std::string folder_;
  const std::string sidecar_;
  kube::Informer pods_;
  boost::asio::steady_timer timer_;
  std::map<std::string, std::shared_ptr<LocalPod>> pods_here_;  // by uid
  bool stopping_ = false;
};

int Run(const std::string& kubeconfig, const std::string& folder, const std::string& programs) {
  const absl::StatusOr<kube::Access> access = kube::ReadKubeconfig(kubeconfig);
  auto addresses = runtime::Addresses::Reserve();
  if (!access.ok() || !addresses) {
    std::fprintf(stderr, "wsf-local-node: no kubeconfig, or no addresses left\n");
    return 2;
  }
  boost::asio::io_context io(1);
  const auto work = boost::asio::make_work_guard(io);
  LocalNode node(io, *access, *std::move(addresses), folder,
                 programs == "none" ? "" : programs + "/wsf-sidecar");
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&node](const boost::system::error_code& error, int) {
    if (!error) node.Stop();
  });
  node.Start();
  io.run();
  std::_Exit(0);  // calls may be under way, and nobody is left to hear of them
}

}  // namespace
}  // namespace wsf

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: wsf-local-node KUBECONFIG FOLDER PROGRAMS\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  return wsf::Run(argv[1], argv[2], argv[3]);
}
