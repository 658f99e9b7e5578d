// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/reporter.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <memory>

extern char** environ;

namespace wsf::report {
namespace {

constexpr auto kCallTime = std::chrono::seconds(6);

struct Child {
  pid_t pid = -1;
  int input = -1;
  int output = -1;
};

Child Start(const std::vector<std::string>& command) {
  int in[2];
  int out[2];
  Child child;
  if (pipe2(in, O_CLOEXEC) != 0) return child;
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]), close(in[1]);
    return child;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  // Not the session's sockets: they would stay open for as long as the report takes.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  const int error =
      posix_spawn(&child.pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]), close(out[1]);
  child.input = in[1];
  child.output = out[0];
  if (error == 0) return child;
  close(child.input), close(child.output);
  return Child{};
}

Reporter::Verdict VerdictOf(int status) {
  if (!WIFEXITED(status)) return Reporter::Verdict::kTryAgain;
  switch (WEXITSTATUS(status)) {
    case kExitAcknowledged: return Reporter::Verdict::kAcknowledged;
    case kExitRefused: return Reporter::Verdict::kRefused;
    default: return Reporter::Verdict::kTryAgain;
  }
}

}  // namespace

net::awaitable<Reporter::Answer> Reporter::Call(v1::Report report) {
  Answer answer;
  const Child child = Start(command_);
  if (child.pid < 0) co_return answer;
  const std::string message = report.SerializeAsString();
  // At most 64 KiB, which a fresh pipe takes whole. SIGPIPE is ignored by main().
  const ssize_t written = write(child.input, message.data(), message.size());
  close(child.input);
  boost::asio::steady_timer deadline(io_, kCallTime);
  // Its number may be another's once it is reaped, and a handler on its way cannot be recalled.
  auto unreaped = std::make_shared<const pid_t>(child.pid);
  deadline.async_wait([weak = std::weak_ptr(unreaped)](const net::error_code& error) {
    const auto pid = weak.lock();
    if (!error && pid != nullptr) kill(*pid, SIGKILL);
  });
  boost::asio::posix::stream_descriptor output(io_, child.output);
  std::array<char, 4096> part;
  net::error_code error;
  while (!error) {
    const std::size_t n =
        co_await output.async_read_some(boost::asio::buffer(part), net::Await(error));
    answer.output.append(part.data(), n);
  }
  deadline.cancel();
  // The child's files are closed last when it exits, so this does not wait.
  int status = 0;
  const pid_t reaped = waitpid(child.pid, &status, 0);
  unreaped.reset();
  const bool complete = reaped == child.pid && written == static_cast<ssize_t>(message.size());
  if (complete) answer.verdict = VerdictOf(status);
  co_return answer;
}

}  // namespace wsf::report
