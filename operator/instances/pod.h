// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/function.h"

namespace wsf::instances {

using Json = nlohmann::json;

inline constexpr char kFunctionLabel[] = "wsf.dev/function";
inline constexpr char kRevisionLabel[] = "wsf.dev/revision";
inline constexpr int kRelayPort = 17009;
/// On instances that are not to be evicted; their budget selects it (K25).
inline constexpr char kEvictionLabel[] = "wsf.dev/eviction";
/// Keeps an ended pod until the ledger has counted it (contracts.md, "Record and ledger").
inline constexpr char kLedgerFinalizer[] = "wsf.dev/ledger";

/// What the delete of an ended instance asks for: the relay still runs then, and the server gets
/// its SIGTERM at once (contracts.md, ledger).
inline constexpr std::int64_t kEndedGraceSeconds = 2;

/// Raise it when MakePod changes, so that instances are replaced (contracts.md, `revision`).
inline constexpr char kTemplateVersion[] = "6";

/// What a relay is given (K23), as quantities; "" = none.
struct RelayResources {
  std::string cpu_request = "5m";
  std::string cpu_limit;
  std::string memory_request = "8Mi";
  std::string memory_limit = "32Mi";
};

/// What every instance pod of this operator has in common.
struct PodTemplate {
  std::string relay_image;
  RelayResources relay_resources;
  bool keep_from_eviction = false;  ///< K25: as if each function said OnUpgrade at least
  /// The cluster gives every container its user id, as OpenShift does (K21); a function's own
  /// runAsUser stays.
  bool cluster_gives_ids = false;
  /// Names of Secrets of the function's namespace, beside its own imagePullSecrets: its author need
  /// not know where the relay's image comes from.
  std::vector<std::string> relay_pull_secrets;
  std::string operator_address;    ///< ip:port of InstanceService
  std::string operator_authority;  ///< PEM; the next two are the admission certificate
  std::string relay_certificate;
  std::string relay_key;

  /// What of it makes another revision: instances are replaced when it changes. Certificates and
  /// addresses hold for those that run.
  std::string Version() const;
};

/// The pod of one instance, shape of architecture.md: the relay is the main container, the user's
/// server a native sidecar container without a startup probe, `restartPolicy: Never`. It satisfies
/// Pod Security `restricted` whatever the function says (K20-K25).
Json MakePod(const spec::Function& function, const std::string& name, const std::string& revision,
             const PodTemplate& common);

/// One container's state, as the kubelet or the process runtime tells it.
struct ContainerState {
  bool running = false;
  bool terminated = false;
  int exit_code = 0;
  int restarts = 0;
  std::string reason;              ///< of waiting or terminated: ImagePullBackOff, OOMKilled, ...
  std::string message;             ///< of waiting or terminated; a relay's report, a server's log
  std::int64_t finished = 0;       ///< when it terminated, Unix microseconds; 0 = not told
  std::string last_reason;         ///< why it ended before it was started again: OOMKilled, Error
  std::int64_t last_finished = 0;  ///< and when, Unix microseconds; 0 = not told
  std::string last_message;        ///< the end of its log then
  int last_exit_code = 0;
};

/// What the operator reads of a pod.
struct Pod {
  std::string uid;
  std::string version;  ///< resourceVersion
  std::string ns;
  std::string name;
  std::string function;      ///< label
  std::string function_uid;  ///< controller owner
  std::string revision;      ///< label
  std::string ip;
  std::string phase;
  std::int64_t created = 0;         ///< Unix time in microseconds
  std::chrono::microseconds age{};  ///< when it was parsed; 0 where `created` is not told
  bool has_node = false;            ///< a kubelet has it; never with the process runtime
  bool deleting = false;
  std::int64_t grace_seconds = 0;  ///< of the deletion, else of the spec
  std::int64_t deletes_at = 0;     ///< when its grace is over, Unix microseconds; 0 = not deleting
  bool unschedulable = false;      ///< condition PodScheduled is False
  bool sandboxed = false;          ///< condition PodReadyToStartContainers: only images are missing
  bool disrupted = false;          ///< condition DisruptionTarget: eviction, preemption, node loss
  std::vector<std::string> finalizers;
  /// Its server is no native sidecar any more: a webhook, or an API server before 1.29, has taken
  /// its restartPolicy, and the relay would wait for its end.
  bool server_is_plain_init = false;
  ContainerState server;
  ContainerState relay;

  /// It bears our finalizer.
  bool is_kept() const {
    return std::find(finalizers.begin(), finalizers.end(), kLedgerFinalizer) != finalizers.end();
  }
  std::string function_key() const { return ns + "/" + function; }
  /// Of the function whose instance it is. A uid alone would let a pod of one namespace pass for
  /// the instance of another's function.
  std::string owner() const { return ns + "/" + function_uid; }
  /// ip:port of the relay; "" while the pod's IP is not known.
  std::string RelayAddress() const;
  /// Whether the relay may say so of itself: it may be quicker than the pod's status.
  bool MayBeAt(const std::string& address) const { return ip.empty() || address == RelayAddress(); }
  /// Its relay has ended, as whoever runs it says.
  bool finished() const { return relay.terminated || phase == "Succeeded" || phase == "Failed"; }
  /// Its relay has not started and will not, as far as its status says. On a node only the kubelet
  /// can say so: what it has told last may lag behind a relay that runs already.
  bool never_started() const { return deleting && !relay.running && !has_node; }
  /// The instance has ended (contracts.md, "Record and ledger").
  bool ended() const { return finished() || never_started(); }
};

Pod ParsePod(const Json& object);

}  // namespace wsf::instances
