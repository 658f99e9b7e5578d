// SPDX-License-Identifier: Apache-2.0
#include "cli/dev.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/spec/function.h"
#include "common/spec/yaml.h"
#include "standalone/supervisor/guardian.h"
#include "standalone/supervisor/supervisor.h"

namespace wsf::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kExitUsage = 2;

struct DevFlags {
  supervisor::Options options;
  std::string manifest;
  std::vector<std::string> set;
  std::string name;
  std::vector<std::string> command;  // or one folder
  std::string runtime = "process";
};

int Fail(const std::string& what) {
  std::fprintf(stderr, "wsf dev: %s\n", what.c_str());
  return kExitUsage;
}

std::string ProgramsFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

absl::StatusOr<Json> ReadManifest(const std::string& path) {
  std::ifstream file(path);
  if (!file || fs::is_directory(path)) return absl::NotFoundError("cannot read " + path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const absl::StatusOr<std::vector<Json>> documents = spec::ParseYaml(text);
  if (!documents.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", documents.status().message()));
  }
  for (const Json& each : *documents) {
    if (!each.is_object() || json::At(each, "kind") != "WebSocketFunction") continue;
    if (!json::At(each, "metadata").is_object() || !json::At(each, "spec").is_object()) {
      return absl::InvalidArgumentError(path + ": metadata and spec must be objects");
    }
    return each;
  }
  return absl::InvalidArgumentError(path + " holds no WebSocketFunction");
}

// A value of --set: JSON where it is JSON, else a string.
Json ValueOf(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

std::optional<std::string> ApplySet(const std::string& assignment, Json* spec) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return "--set " + assignment + " is not key=value; try --set idleTimeoutSeconds=60";
  }
  std::string pointer = "/" + assignment.substr(0, equals);
  for (char& c : pointer) c = c == '.' ? '/' : c;
  try {
    (*spec)[Json::json_pointer(pointer)] = ValueOf(assignment.substr(equals + 1));
  } catch (const Json::exception&) {
    return "--set " + assignment + ": there is no such field";
  }
  return std::nullopt;
}

// The command as it would be found by a shell: a clear error before anything starts.
std::optional<std::string> CheckCommand(const std::string& program, const std::string& folder) {
  const auto executable = [](const fs::path& path) {
    return access(path.c_str(), X_OK) == 0 && !fs::is_directory(path);
  };
  if (program.find('/') != std::string::npos) {
    const fs::path path =
        fs::path(program).is_absolute() ? fs::path(program) : fs::path(folder) / program;
    if (!fs::exists(path)) return program + " does not exist; give the path of a program";
    if (!executable(path)) return program + " may not be executed; try chmod +x " + program;
    return std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    if (executable(fs::path(rest.substr(0, colon)) / program)) return std::nullopt;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return program + " was not found in PATH; is it installed?";
}

std::string Join(const std::vector<std::string>& errors) {
  std::string text;
  for (const std::string& each : errors) text += (text.empty() ? "" : "; ") + each;
  return text;
}

// What is to be run: a manifest, a folder, or a command.
absl::StatusOr<Json> BaseFunction(const DevFlags& flags) {
  if (!flags.manifest.empty()) return ReadManifest(flags.manifest);
  const bool is_folder = flags.command.size() == 1 && fs::is_directory(flags.command[0]);
  Json function = {{"metadata", {{"name", ""}}}, {"spec", Json::object()}};
  if (!is_folder) {
    if (flags.command.empty()) {
      return absl::InvalidArgumentError(
          "give a folder or a command, as in: wsf dev -- python3 server.py");
    }
    function["spec"]["command"] = flags.command;
    return function;
  }
  const fs::path folder = fs::canonical(flags.command[0]);
  if (fs::exists(folder / "function.yaml")) {
    absl::StatusOr<Json> manifest = ReadManifest((folder / "function.yaml").string());
    if (manifest.ok() && !(*manifest)["spec"].contains("workingDir")) {
      (*manifest)["spec"]["workingDir"] = folder.string();
    }
    return manifest;
  }
  if (!fs::exists(folder / "scf_bootstrap")) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder.string(), " has neither function.yaml nor scf_bootstrap"));
  }
  function["spec"]["command"] = {"./scf_bootstrap"};
  function["spec"]["workingDir"] = folder.string();
  return function;
}

absl::StatusOr<Json> MakeFunction(const DevFlags& flags) {
  absl::StatusOr<Json> base = BaseFunction(flags);
  if (!base.ok()) return base;
  Json function = *std::move(base);
  Json& spec = function["spec"];
  function["apiVersion"] = "wsf.dev/v1alpha1";
  function["kind"] = "WebSocketFunction";
  if (!flags.name.empty()) function["metadata"]["name"] = flags.name;
  if (!function["metadata"].contains("name") || function["metadata"]["name"] == "") {
    function["metadata"]["name"] = "dev";
  }
  if (flags.manifest.empty() && !spec.contains("limits")) {
    spec["limits"]["profile"] = "open";
  }
  for (const std::string& each : flags.set) {
    if (const auto wrong = ApplySet(each, &spec)) return absl::InvalidArgumentError(*wrong);
  }
  if (!spec.is_object()) return absl::InvalidArgumentError("spec must be an object");
  if (!spec.contains("workingDir")) spec["workingDir"] = fs::current_path().string();
  const spec::Function parsed = spec::ParseFunction(function);
  if (!parsed.errors.empty()) return absl::InvalidArgumentError(Join(parsed.errors));
  if (parsed.spec.command.empty()) {
    return absl::InvalidArgumentError(
        "spec.command is missing: standalone mode runs commands, not images");
  }
  if (!fs::is_directory(parsed.spec.working_dir)) {
    return absl::InvalidArgumentError("workingDir " + parsed.spec.working_dir + " is no folder");
  }
  if (const auto wrong = CheckCommand(parsed.spec.command[0], parsed.spec.working_dir)) {
    return absl::InvalidArgumentError(*wrong);
  }
  return function;
}

int RunDev(DevFlags* flags) {
  const absl::StatusOr<Json> function = MakeFunction(*flags);
  if (!function.ok()) return Fail(std::string(function.status().message()));
  flags->options.functions = {*function};
  flags->options.programs_folder = ProgramsFolder();
  if (flags->command.size() == 1 && fs::is_directory(flags->command[0])) {
    flags->options.source_folder = fs::canonical(flags->command[0]).string();
  }
  if (flags->runtime == "none") flags->options.nodes = supervisor::Options::Nodes::kNone;
  return supervisor::RunGuarded([flags] { return supervisor::Run(flags->options); });
}

}  // namespace

void AddDev(CLI::App* app, int* status) {
  const auto flags = std::make_shared<DevFlags>();
  CLI::App* dev = app->add_subcommand(
      "dev", "Run a server that listens on port 9000, one process per connection.");
  supervisor::Options& options = flags->options;
  dev->add_option("-p,--port", options.port, "port for clients; 0 picks a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  dev->add_option("-f,--file", flags->manifest, "a WebSocketFunction manifest");
  dev->add_option("--set", flags->set, "a spec field, as in idleTimeoutSeconds=60")
      ->allow_extra_args(false);
  dev->add_option("--name", flags->name, "name of the function; default dev");
  dev->add_option("--host", options.host, "address for clients; default 127.0.0.1");
  dev->add_option("--allow-origin", options.allowed_origins, "an Origin beside localhost's")
      ->allow_extra_args(false);
  dev->add_option("--records", options.records_path, "append each session record, one JSON line");
  dev->add_option("--ready-file", options.ready_path, "written when connections are served");
  dev->add_option("--data", options.data_folder, "folder for state; default a temporary one");
  dev->add_option("--runtime", flags->runtime, "process, or none: the API without instances")
      ->check(CLI::IsMember({"process", "none"}));
  dev->add_option("--operator-flag", options.operator_flags, "passed on to wsf-operator")
      ->allow_extra_args(false);
  dev->add_option("--gateway-flag", options.gateway_flags, "passed on to wsf-gateway")
      ->allow_extra_args(false);
  dev->add_option("what", flags->command, "a folder, or -- and a command with its arguments");
  dev->callback([flags, status] { *status = RunDev(flags.get()); });
}

}  // namespace wsf::cli
