// SPDX-License-Identifier: Apache-2.0
#include "common/kube/kubeconfig.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "common/kube/credentials.h"
#include "common/kube/exec_plugin.h"

namespace wsf::kube {
namespace {

using Json = nlohmann::json;

class KubeconfigTest : public testing::Test {
 protected:
  KubeconfigTest() {
    std::string pattern = testing::TempDir() + "wsf-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~KubeconfigTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }
  absl::StatusOr<Access> Read(const Json& cluster, const Json& user) {
    const Json context = {{"cluster", "k"}, {"user", "u"}};
    Json config = {{"current-context", "c"}};
    config["contexts"].push_back({{"name", "c"}, {"context", context}});
    config["clusters"].push_back({{"name", "k"}, {"cluster", cluster}});
    config["users"].push_back({{"name", "u"}, {"user", user}});
    Write("config", config.dump());
    return ReadKubeconfig(folder_ / "config");
  }
  // Whether that is what it says of what is wrong.
  bool Tells(const Json& cluster, const Json& user, const char* text) {
    return absl::StrContains(std::string(Read(cluster, user).status().message()), text);
  }
  static ExecPlugin Plugin(const std::string& command, const std::string& argument = "") {
    ExecPlugin plugin;
    plugin.command = command;
    plugin.args = {argument};
    return plugin;
  }
  static CredentialReader ReaderOf(const ExecPlugin& plugin) {
    Access access;
    access.exec = plugin;
    return CredentialReader(access);
  }

  const Json a_server_ = {{"server", "https://a"}};
  const Json a_user_ = {{"token", "t"}};
  std::filesystem::path folder_;
};

TEST_F(KubeconfigTest, D45_files_are_looked_up_from_its_folder) {
  Write("ca.crt", "CA");
  Write("token", " secret\n");
  Json cluster = a_server_;
  cluster["certificate-authority"] = "ca.crt";
  const auto access = Read(cluster, {{"tokenFile", "./token"}});
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->authority.file, (folder_ / "ca.crt").string());
  const Credentials read = CredentialReader(*access).Read().value();
  EXPECT_EQ(read.authority, "CA");
  EXPECT_EQ(read.token, "secret") << "an editor's newline is no part of it";
}

TEST_F(KubeconfigTest, D45_what_is_wrong_is_named) {
  Json cluster = a_server_;
  cluster["certificate-authority"] = "none";
  EXPECT_TRUE(Tells(cluster, a_user_, "none, which cannot be read"));
  cluster["certificate-authority-data"] = "%";
  EXPECT_TRUE(Tells(cluster, a_user_, "certificate-authority-data is not base64"));
  EXPECT_TRUE(Tells(Json::object(), a_user_, "names no server"));
  EXPECT_TRUE(Tells({{"server", "https://[::1]:6443"}}, a_user_, "name its host"));
  EXPECT_TRUE(Tells({{"server", "10.0.0.1:6443"}}, a_user_, "without https://"));
  cluster.erase("certificate-authority-data");
  cluster["certificate-authority"] = ".";
  EXPECT_TRUE(Tells(cluster, a_user_, "which cannot be read"));
  Json user;
  user["exec"] = {{"command", "login"}, {"interactiveMode", "Always"}};
  EXPECT_TRUE(Tells(a_server_, user, "needs a terminal"));
  user["exec"] = Json::object();
  EXPECT_TRUE(Tells(a_server_, user, "exec without a command"));
  EXPECT_TRUE(Tells(a_server_, {{"auth-provider", Json::object()}}, "use exec"));
}

TEST_F(KubeconfigTest, D45_how_the_server_is_known) {
  Json cluster = {{"server", "https://a:6443"}};
  cluster["tls-server-name"] = "kubernetes";
  cluster["insecure-skip-tls-verify"] = true;
  const auto access = Read(cluster, a_user_);
  ASSERT_TRUE(access.ok());
  EXPECT_EQ(access->server_name, "kubernetes");
  EXPECT_TRUE(access->insecure);
}

TEST_F(KubeconfigTest, D45_an_IPv6_cluster_is_called_by_name) {
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  EXPECT_EQ(InClusterAccess()->server, "https://kubernetes.default.svc:443");
  setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
  EXPECT_EQ(InClusterAccess()->server, "https://10.0.0.1:443");
  unsetenv("KUBERNETES_SERVICE_HOST");
  unsetenv("KUBERNETES_SERVICE_PORT");
}

TEST_F(KubeconfigTest, D45_a_plugin_is_told_what_kubectl_tells_it) {
  Write("plugin", R"(#!/bin/sh
case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 9;; esac
echo '{"kind": "ExecCredential", "status": {"token": "'"$1-$WHO"'"}}'
)");
  Json exec = {{"apiVersion", "client.authentication.k8s.io/v1"}, {"command", "./plugin"}};
  exec["args"].push_back("of");
  exec["env"].push_back({{"name", "WHO"}, {"value", "me"}});
  const auto access = Read(a_server_, Json::object({{"exec", exec}}));
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(CredentialReader(*access).Read()->token, "of-me");
}

TEST_F(KubeconfigTest, D45_a_plugin_is_asked_again_when_its_credential_is_over_or_refused) {
  Write("plugin", R"(#!/bin/sh
echo x >>"$(dirname "$0")/asked"
echo '{"kind": "ExecCredential", "status": {"token": "t", "expirationTimestamp": "'"$1"'"}}'
)");
  // Of four readings, two within the pause between two runs; each is followed by a refusal of
  // `refused`.
  const auto asked = [&](const char* expires, const char* refused) {
    std::filesystem::remove(folder_ / "asked");
    CredentialReader reader = ReaderOf(Plugin(folder_ / "plugin", expires));
    const TimePoint start = std::chrono::steady_clock::now();
    for (const int seconds : {0, 4, 6, 9}) {
      EXPECT_TRUE(reader.Read(start + std::chrono::seconds(seconds)).ok());
      reader.Refused(refused);
    }
    return std::filesystem::file_size(folder_ / "asked") / 2;
  };
  EXPECT_EQ(asked("2999-01-01T00:00:00Z", "an older token"), 1u);
  EXPECT_EQ(asked("2999-01-01T00:00:00Z", "t"), 2u);
  EXPECT_EQ(asked("2001-01-01T00:00:00Z", "an older token"), 2u);
}

TEST_F(KubeconfigTest, D45_of_a_plugin_that_fails_is_told_why) {
  const auto tells = [](const ExecPlugin& plugin, int seconds, const char* text) {
    const auto made = RunPlugin(plugin, std::chrono::seconds(seconds));
    return absl::StrContains(std::string(made.status().message()), text);
  };
  ExecPlugin none = Plugin("no-such-plugin");
  none.install_hint = "get it from X";
  EXPECT_TRUE(tells(none, 20, "cannot be started"));
  EXPECT_TRUE(tells(none, 20, "get it from X"));
  EXPECT_TRUE(tells(Plugin("false"), 20, "failed with status 1"));
  EXPECT_TRUE(tells(Plugin("echo"), 20, "printed no ExecCredential"));
  EXPECT_TRUE(tells(Plugin("sleep", "1000"), 1, "gave no credential in time"));
}

}  // namespace
}  // namespace wsf::kube
