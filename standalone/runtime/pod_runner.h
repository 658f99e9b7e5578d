// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "standalone/runtime/private_port.h"
#include "standalone/runtime/process.h"

namespace wsf::runtime {

using Json = nlohmann::json;

/// Where a pod runs on this machine.
struct Placement {
  std::string address;  ///< its private loopback address, status.podIP
  std::string folder;   ///< termination message, token, logs; exists
  std::string sidecar;  ///< path of wsf-sidecar, run for the relay container
};

/// Plays the kubelet for one pod of the shape that the operator makes: the relay is its main
/// container, the user's server a native sidecar container. The pod ends when the relay has;
/// TERM goes to the relay first and to the server after it, KILL to both at the end of the grace
/// period (U21).
///
/// Threading: confined to the io_context's one thread.
class PodRunner : public std::enable_shared_from_this<PodRunner> {
 public:
  struct Callbacks {
    std::function<void(const Json& status)> on_status;  ///< the pod's whole status
    std::function<void(const std::string& container, const std::string& line)> on_output;
    std::function<void()> on_gone;  ///< no process is left
  };

  PodRunner(boost::asio::io_context& io, Json pod, Placement placement, Callbacks callbacks);

  void Start();
  /// The pod is being deleted. A shorter grace period may follow a longer one.
  void Stop(std::chrono::seconds grace);

 private:
  struct Container {
    std::string name;
    Json spec;
    std::shared_ptr<Process> process;
    Json state;  // as in a container status
    Json last_state = Json::object();
    int restarts = 0;
    bool starting = false;
    bool ended = false;
    bool out_of_memory = false;
  };

  void StartServer();
  void StartRelay();
  void Run(Container* container, ProcessOptions options);
  void OnStarted(Container* container, int listener);
  void OnFailedStart(Container* container, const std::string& error);
  void OnExit(Container* container, const Exit& exit);
  void OnRelayGone();
  void OnGraceOver();
  void WatchMemory();
  void Report();
  Json StatusOf(const Container& container) const;
  std::vector<std::string> Environment(const Container& container) const;
  std::string Expand(const std::string& text, const std::vector<std::string>& environment) const;
  std::string TerminationMessage() const;
  void CheckGone();

  boost::asio::io_context& io_;
  const Json pod_;
  const Placement placement_;
  Callbacks callbacks_;
  Container server_;
  Container relay_;
  std::shared_ptr<PortKeeper> port_keeper_;
  std::uint16_t port_ = 0;          // spec'd
  std::uint16_t private_port_ = 0;  // where it really listens
  std::int64_t memory_limit_ = 0;
  boost::asio::steady_timer grace_timer_;
  boost::asio::steady_timer memory_timer_;
  boost::asio::steady_timer restart_timer_;
  bool stopping_ = false;
  bool gone_ = false;
};

/// Kills every process that was started with `pair` (NAME=value) in its environment: also those
/// that left their session and their parent behind.
void KillByVariable(const std::string& pair);

/// The resident bytes of a process and all its descendants.
std::int64_t TreeResidentBytes(pid_t root);

}  // namespace wsf::runtime
