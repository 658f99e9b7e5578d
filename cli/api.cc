// SPDX-License-Identifier: Apache-2.0
#include "cli/api.h"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/kube/rest_client.h"
#include "standalone/supervisor/current.h"

namespace wsf::cli {
namespace {

constexpr int kTokenSeconds = 600;  // the shortest that there is

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
  absl::StatusOr<kube::Access> access = kube::ReadKubeconfig(path);
  if (!access.ok()) return access.status();
  auto api = std::unique_ptr<Api>(new Api());
  api->access_ = *std::move(access);
  api->Dial();
  return api;
}

absl::StatusOr<std::unique_ptr<Api>> Api::OpenForPeople(const std::string& kubeconfig,
                                                        const std::string& system) {
  absl::StatusOr<std::unique_ptr<Api>> opened = Open(kubeconfig);
  if (!opened.ok()) return opened.status();
  Api& api = **opened;
  const kube::Response made =
      api.Post(absl::StrCat("/api/v1/namespaces/", system, "/serviceaccounts/wsf-people/token"),
               {{"apiVersion", "authentication.k8s.io/v1"},
                {"kind", "TokenRequest"},
                {"spec", {{"expirationSeconds", kTokenSeconds}}}});
  if (made.status == 403) {
    return absl::PermissionDeniedError(absl::StrCat(
        made.Message(), "; the Role wsf-people in namespace ", system, " grants what this takes"));
  }
  if (made.status == 404) {
    return absl::NotFoundError(absl::StrCat("no operator of wsf in namespace ", system,
                                            "; name another with --system-namespace"));
  }
  if (!made.ok()) return absl::UnavailableError(WhyNot(made));
  api.access_.headers["X-Wsf-Token"] = json::Text(made.body, "status", "token");
  api.Dial();
  return opened;
}

std::string WhyNot(const kube::Response& answer) {
  if (answer.status != 0) return answer.Message();
  return "the API does not answer; is `wsf dev` still running? (" + answer.error + ")";
}

void Api::Dial() {
  client_ = kube::MakeRestClient(access_, [io = &io_](std::function<void()> work) {
    boost::asio::post(*io, std::move(work));
  });
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

kube::Response Api::Post(const std::string& path, const kube::Json& body) {
  return Wait([&](kube::Client::Callback done) { client_->Create(path, body, std::move(done)); });
}

}  // namespace wsf::cli
