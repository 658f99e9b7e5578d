// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace wsf::runtime {

/// How a process ended.
struct Exit {
  int code = 0;    ///< 128 + signal when a signal ended it, as a shell says it
  int signal = 0;  ///< 0: it exited by itself
};

struct ProcessOptions {
  std::vector<std::string> command;      ///< its first element is looked up in PATH
  std::vector<std::string> environment;  ///< NAME=value; the last of a name counts
  std::string working_directory;         ///< "" = ours
  enum class Binds { kAsTheyAre, kPrivate } binds = Binds::kAsTheyAre;
};

/// A child in a session of its own, so that its whole process group can be signalled and Ctrl-C
/// reaches only us. It dies with the supervisor.
///
/// Threading: confined to the io_context's one thread.
class Process : public std::enable_shared_from_this<Process> {
 public:
  struct Callbacks {
    std::function<void(const std::string& line)> on_output;  ///< stdout and stderr, by lines
    std::function<void(const Exit&)> on_exit;                ///< once
  };

  /// Starts it; on failure returns nullptr and says in `*error` what and why. With Binds::kPrivate
  /// `*listener` gets the notification descriptor for a PortKeeper.
  static std::shared_ptr<Process> Start(boost::asio::io_context& io, const ProcessOptions& options,
                                        Callbacks callbacks, int* listener, std::string* error);

  pid_t pid() const { return pid_; }
  bool running() const { return running_; }
  /// Signals the process group.
  void Kill(int signal);

 private:
  Process(boost::asio::io_context& io, pid_t pid, int pidfd, int output, Callbacks callbacks);
  void AwaitExit();
  void ReadOutput();
  void TakeOutput(std::size_t size);

  const pid_t pid_;
  bool running_ = true;
  boost::asio::posix::stream_descriptor pidfd_;
  boost::asio::posix::stream_descriptor output_;
  Callbacks callbacks_;
  std::string part_;
  std::string partial_;
};

}  // namespace wsf::runtime
