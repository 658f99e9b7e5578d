// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "wsf/v1/settings.pb.h"

namespace wsf::spec {

using Json = nlohmann::json;

/// The limits' presets (behaviour.md C1, C2).
enum class Profile { kCurrent, kLegacy2021, kOpen };

/// The fields of a spec that only a cluster's pods use (kubernetes.md section 1).
inline constexpr const char* kPodFields[] = {"envFrom",
                                             "volumes",
                                             "volumeMounts",
                                             "imagePullPolicy",
                                             "imagePullSecrets",
                                             "serviceAccountName",
                                             "runtimeClassName",
                                             "priorityClassName",
                                             "nodeSelector",
                                             "tolerations",
                                             "topologySpreadConstraints",
                                             "runAsUser",
                                             "runAsGroup",
                                             "fsGroup",
                                             "labels",
                                             "annotations"};

/// When a cluster may take instances off their nodes (K25), the mildest first.
enum class Eviction {
  kAlways,
  kOnUpgrade,  ///< not to save nodes
  kNever,      ///< not for a drain either
};

/// The `spec` of a WebSocketFunction with its defaults filled in (behaviour.md section 8).
struct FunctionSpec {
  // What runs.
  std::string image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::string working_dir;
  Json env = Json::array();         ///< as in a pod's container
  Json resources = Json::object();  ///< as in a pod's container
  std::uint16_t port = 9000;
  std::string ready_path;
  Json pod = Json::object();  ///< what of kPodFields is given, as in a pod

  // One session.
  std::uint32_t idle_timeout_seconds = 15;
  std::uint32_t execution_timeout_seconds = 7200;
  std::uint32_t handshake_timeout_seconds = 30;
  std::uint32_t close_timeout_seconds = 10;
  Profile profile = Profile::kCurrent;
  std::uint64_t max_message_bytes = 262144;
  std::uint64_t request_bytes_per_second = 131072;
  std::uint32_t requests_per_second = 10;
  bool close_on_rate = false;
  bool empty_close_is_success = false;
  bool idle_counts_control_frames = false;
  bool abort_on_idle = false;
  bool close_on_execution = false;
  bool record_subprotocol = false;

  // The fleet.
  std::uint32_t warm_max_age_seconds = 259200;
  std::uint32_t live_session_seconds = 0;  ///< of an old revision; 0 = until they end
  std::uint32_t init_timeout_seconds = 90;
  std::uint32_t instance_concurrency = 1;
  std::uint32_t warm_instances = 0;
  std::optional<std::uint32_t> max_instances;
  bool suspend = false;
  Eviction eviction = Eviction::kAlways;

  // The door.
  std::vector<std::string> hosts;
  std::vector<std::string> allowed_origins;
};

/// A WebSocketFunction as operator and standalone use it.
struct Function {
  std::string ns;
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  std::string created;  ///< metadata.creationTimestamp
  FunctionSpec spec;
  std::vector<std::string> errors;  ///< what makes the spec invalid (K01): each says what to write

  std::string key() const { return ns + "/" + name; }
  /// What an instance of it names as its owner (instances::Pod).
  std::string owner() const { return ns + "/" + uid; }
};

/// Reads a WebSocketFunction; never fails, `errors` says what is wrong.
Function ParseFunction(const Json& object);

/// What a sidecar needs for one session.
v1::SessionSettings SettingsOf(const Function& function);

/// `<name>-<hash>` of the fields that shape a pod and `template_version`: a
/// change of anything else keeps the instances (contracts.md, relay port).
std::string RevisionOf(const Function& function, const std::string& template_version);

/// resources.limits.memory in bytes; 0 when it is unset or unreadable.
std::int64_t MemoryLimitBytes(const FunctionSpec& spec);

}  // namespace wsf::spec
