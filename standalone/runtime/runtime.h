// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "standalone/api/objects.h"
#include "standalone/runtime/addresses.h"
#include "standalone/runtime/pod_runner.h"

namespace wsf::runtime {

/// The node of standalone mode: runs the pods of the embedded API as processes, mints their tokens,
/// keeps their logs.
///
/// Threading: confined to the io_context's one thread.
class Runtime {
 public:
  struct Options {
    std::string data_folder;
    std::string sidecar;  ///< path of wsf-sidecar
    /// A line of a server's output, for whoever watches.
    std::function<void(const std::string& pod, const std::string& line)> on_server_output;
  };

  Runtime(boost::asio::io_context& io, api::Objects* objects, Addresses* addresses,
          Options options);

  void Start();

  /// The `status` of a TokenReview.
  api::Json ReviewToken(const std::string& token) const;
  std::optional<std::string> ReadLog(const std::string& ns, const std::string& pod,
                                     const std::string& container) const;
  /// Whether any pod still has processes.
  bool idle() const { return running_.empty(); }

 private:
  struct Running {
    std::string ns;
    std::string name;
    std::string address;  // "" when there was none left
    std::string folder;
    std::string token;
    std::shared_ptr<PodRunner> runner;
  };

  void OnPod(const api::Change& change);
  void StartPod(const api::Json& pod);
  void Refuse(const Running& pod, const std::string& reason, const std::string& message);
  void OnGone(const std::string& uid);
  /// What an ended instance's server has said stays readable for a while: that is when it is asked.
  void KeepLog(const Running& running);

  boost::asio::io_context& io_;
  api::Objects* const objects_;
  Addresses* const addresses_;
  const Options options_;
  std::shared_ptr<void> subscription_;
  std::map<std::string, Running> running_;  // by pod uid
  std::deque<std::string> kept_logs_;       // files, oldest first
};

}  // namespace wsf::runtime
