// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/base/descriptors.h"
#include "standalone/runtime/private_port.h"

namespace wsf::runtime {
namespace {

constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kMaxLineBytes = 64 * 1024;

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& each : texts) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the child needs, laid out before fork: nothing is allocated in between.
struct Plan {
  char* const* arguments;
  char* const* environment;
  const char* working_directory;
  int output;
  int failure;  // gets an errno when exec fails; closed by exec
  int filter;   // gets the notification descriptor, -1: no filter
  pid_t parent;
  rlimit descriptors;  // a program of somebody else's gets what it would have without us
};

// Sockets that Asio accepts are open to children. A server must not hold the platform's connections
// open, nor see them.
void CloseOnExec() {
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  const int limit = static_cast<int>(sysconf(_SC_OPEN_MAX));  // Linux before 5.11
  for (int fd = 3; fd < limit; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void RunChild(const Plan& plan) {
  const auto fail = [&plan] {
    const int error = errno;
    [[maybe_unused]] const ssize_t n = write(plan.failure, &error, sizeof error);
    _exit(127);
  };
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127);  // it died before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(plan.output, STDOUT_FILENO);
  dup2(plan.output, STDERR_FILENO);
  if (*plan.working_directory != '\0' && chdir(plan.working_directory) != 0) fail();
  if (plan.filter >= 0) {
    errno = private_port::InstallFilter(plan.filter);
    if (errno != 0) fail();
  }
  CloseOnExec();
  setrlimit(RLIMIT_NOFILE, &plan.descriptors);
  execvpe(plan.arguments[0], plan.arguments, plan.environment);
  fail();
  _exit(127);
}

}  // namespace

std::shared_ptr<Process> Process::Start(boost::asio::io_context& io, const ProcessOptions& options,
                                        Callbacks callbacks, int* listener, std::string* error) {
  int output[2] = {-1, -1};
  int failure[2] = {-1, -1};
  int filter[2] = {-1, -1};
  const bool is_private = options.binds == ProcessOptions::Binds::kPrivate;
  if (pipe2(output, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0 ||
      (is_private && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, filter) != 0)) {
    *error = std::string("no descriptors left: ") + std::strerror(errno);
    for (const int each : {output[0], output[1], failure[0], failure[1]}) {
      if (each >= 0) close(each);
    }
    return nullptr;
  }
  const auto arguments = Pointers(options.command);
  const auto environment = Pointers(options.environment);
  const Plan plan = {arguments.data(),
                     environment.data(),
                     options.working_directory.c_str(),
                     output[1],
                     failure[1],
                     filter[1],
                     getpid(),
                     OriginalDescriptorLimit()};
  const pid_t pid = fork();
  if (pid == 0) RunChild(plan);
  close(output[1]), close(failure[1]);
  if (filter[1] >= 0) close(filter[1]);
  if (is_private) *listener = private_port::ReceiveListener(filter[0]);
  if (filter[0] >= 0) close(filter[0]);
  int child_error = 0;
  const bool failed =
      pid < 0 || read(failure[0], &child_error, sizeof child_error) == sizeof child_error;
  close(failure[0]);
  if (failed) {
    *error = options.command[0] + ": " + std::strerror(pid < 0 ? errno : child_error);
    if (pid > 0) waitpid(pid, nullptr, 0);
    if (is_private && *listener >= 0) close(*listener);
    close(output[0]);
    return nullptr;
  }
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    *error = std::string("no descriptors left: ") + std::strerror(errno);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    if (is_private && *listener >= 0) close(*listener);
    close(output[0]);
    return nullptr;
  }
  const std::shared_ptr<Process> process(
      new Process(io, pid, pidfd, output[0], std::move(callbacks)));
  process->AwaitExit();
  process->ReadOutput();
  return process;
}

Process::Process(boost::asio::io_context& io, pid_t pid, int pidfd, int output, Callbacks callbacks)
    : pid_(pid),
      pidfd_(io, pidfd),
      output_(io, output),
      callbacks_(std::move(callbacks)),
      part_(kReadBytes, '\0') {}

void Process::AwaitExit() {
  pidfd_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      if (error) return;
                      int status = 0;
                      // Asio may report an event of the descriptor that had this number before.
                      if (waitpid(self->pid_, &status, WNOHANG) == 0) return self->AwaitExit();
                      self->running_ = false;
                      kill(-self->pid_, SIGKILL);  // what it left behind in its group
                      Exit exit;
                      exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
                      exit.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + exit.signal;
                      self->callbacks_.on_exit(exit);
                    });
}

void Process::ReadOutput() {
  output_.async_read_some(
      boost::asio::buffer(part_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        if (error) return;
        self->TakeOutput(size);
        self->ReadOutput();
      });
}

void Process::TakeOutput(std::size_t size) {
  partial_.append(part_, 0, size);
  std::size_t start = 0;
  for (std::size_t end; (end = partial_.find('\n', start)) != std::string::npos; start = end + 1) {
    callbacks_.on_output(partial_.substr(start, end - start));
  }
  partial_.erase(0, start);
  if (partial_.size() > kMaxLineBytes) callbacks_.on_output(std::exchange(partial_, ""));
}

void Process::Kill(int signal) {
  if (running_) kill(-pid_, signal);
}

}  // namespace wsf::runtime
