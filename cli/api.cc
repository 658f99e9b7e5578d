// SPDX-License-Identifier: Apache-2.0
#include "cli/api.h"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <utility>

#include "common/kube/rest_client.h"
#include "standalone/supervisor/current.h"

namespace wsf::cli {
namespace {

std::string FindKubeconfig() {
  const char* const named = std::getenv("KUBECONFIG");
  if (named != nullptr && *named != '\0') return named;
  const std::string current = supervisor::NewestKubeconfig();
  if (!current.empty()) return current;
  const char* const home = std::getenv("HOME");
  const std::string usual = std::string(home == nullptr ? "" : home) + "/.kube/config";
  return access(usual.c_str(), R_OK) == 0 ? usual : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Api>> Api::Open(const std::string& kubeconfig) {
  const std::string path = kubeconfig.empty() ? FindKubeconfig() : kubeconfig;
  if (path.empty()) {
    return absl::NotFoundError(
        "nothing to ask: no `wsf dev` of yours is running, and there is no kubeconfig; "
        "give one with --kubeconfig");
  }
  const absl::StatusOr<kube::Access> access = kube::ReadKubeconfig(path);
  if (!access.ok()) return access.status();
  auto api = std::unique_ptr<Api>(new Api());
  api->client_ = kube::MakeRestClient(*access, [io = &api->io_](std::function<void()> work) {
    boost::asio::post(*io, std::move(work));
  });
  return api;
}

kube::Response Api::Wait(const Call& call) {
  kube::Response answer;
  bool done = false;
  call([&](kube::Response response) {
    answer = std::move(response);
    done = true;
  });
  while (!done) io_.run_one();
  return answer;
}

kube::Response Api::Get(const std::string& path) {
  return Wait([&](kube::Client::Callback done) { client_->Get(path, std::move(done)); });
}

kube::Response Api::Post(const std::string& path) {
  return Wait([&](kube::Client::Callback done) {
    client_->Create(path, kube::Json::object(), std::move(done));
  });
}

}  // namespace wsf::cli
