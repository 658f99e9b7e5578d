// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
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
/// Threading: confined to the io_context's one thread, which never waits for the child.
class Process : public std::enable_shared_from_this<Process> {
 public:
  struct Callbacks {
    /// Its command runs. With Binds::kPrivate `listener` is the notification descriptor for a
    /// PortKeeper, which is the caller's from here on; else -1.
    std::function<void(int listener)> on_started;
    /// In place of on_started: what could not be started and why. Nothing else is called then.
    std::function<void(const std::string& error)> on_failed;
    std::function<void(const std::string& line)> on_output;  ///< stdout and stderr, by lines
    std::function<void(const Exit&)> on_exit;                ///< once, after on_started
  };

  /// Starts it; no callback is called before this has returned. What does not run its command
  /// within 10 s has failed: its folder may be on a server that is away.
  static std::shared_ptr<Process> Start(boost::asio::io_context& io, const ProcessOptions& options,
                                        Callbacks callbacks);
  ~Process();

  pid_t pid() const { return pid_; }
  /// Signals the process group.
  void Kill(int signal);

 private:
  Process(boost::asio::io_context& io, Callbacks callbacks);
  /// False with `error` when there is no child.
  bool Fork(const ProcessOptions& options, std::string* error);
  void Fail(std::string error);
  void AwaitStart();
  void LimitStart();
  /// Reads what the child has said of its start, if anything; false: it has said nothing yet.
  bool TakeStart();
  void AwaitExit();
  void ReadOutput();
  void TakeOutput(std::size_t size);

  enum class State { kStarting, kStarted, kFailed, kEnded };

  Callbacks callbacks_;
  std::string name_;
  State state_ = State::kStarting;
  pid_t pid_ = 0;
  int listener_socket_ = -1;  // brings the notification descriptor
  boost::asio::posix::stream_descriptor pidfd_;
  boost::asio::posix::stream_descriptor start_;
  boost::asio::posix::stream_descriptor output_;
  boost::asio::steady_timer start_timer_;
  std::string part_;
  std::string partial_;
};

}  // namespace wsf::runtime
