// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/base/descriptors.h"
#include "standalone/runtime/private_port.h"

namespace wsf::runtime {
namespace {

constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kMaxLineBytes = 64 * 1024;
constexpr auto kStartTime = std::chrono::seconds(10);

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

// Until exec, a signal that is meant for the child would run the supervisor's handler in it, which
// tells the supervisor by the pipe that both have.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void DropHandlers() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    signal(number, SIG_DFL);
  }
  signal(SIGPIPE, SIG_DFL);
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
  DropHandlers();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
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
                                        Callbacks callbacks) {
  const std::shared_ptr<Process> process(new Process(io, std::move(callbacks)));
  std::string error = "no command";
  if (!options.command.empty() && process->Fork(options, &error)) {
    process->AwaitStart();
    process->LimitStart();
    process->AwaitExit();
    process->ReadOutput();
  } else {
    boost::asio::post(io, [process, error] { process->Fail(error); });
  }
  return process;
}

Process::Process(boost::asio::io_context& io, Callbacks callbacks)
    : callbacks_(std::move(callbacks)),
      pidfd_(io),
      start_(io),
      output_(io),
      start_timer_(io),
      part_(kReadBytes, '\0') {}

Process::~Process() {
  if (listener_socket_ >= 0) close(listener_socket_);
}

bool Process::Fork(const ProcessOptions& options, std::string* error) {
  name_ = options.command[0];
  std::array<int, 2> output = {-1, -1};
  std::array<int, 2> failure = {-1, -1};
  std::array<int, 2> filter = {-1, -1};
  const bool is_private = options.binds == ProcessOptions::Binds::kPrivate;
  pid_t pid = -1;
  int pidfd = -1;
  if (pipe2(output.data(), O_CLOEXEC) == 0 && pipe2(failure.data(), O_CLOEXEC | O_NONBLOCK) == 0 &&
      (!is_private || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, filter.data()) == 0)) {
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
    const SignalsBlocked blocked;
    pid = fork();
    if (pid == 0) RunChild(plan);
    if (pid > 0) pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  }
  *error = name_ + ": no descriptors or processes left: " + std::strerror(errno);
  if (pid > 0 && pidfd < 0) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  for (const int each : {output[1], failure[1], filter[1]}) {
    if (each >= 0) close(each);
  }
  if (pidfd < 0) {
    for (const int each : {output[0], failure[0], filter[0]}) {
      if (each >= 0) close(each);
    }
    return false;
  }
  pid_ = pid;
  pidfd_.assign(pidfd);
  start_.assign(failure[0]);
  output_.assign(output[0]);
  listener_socket_ = filter[0];
  return true;
}

void Process::Fail(std::string error) {
  state_ = State::kFailed;
  start_timer_.cancel();
  start_.close();
  if (output_.is_open()) output_.close();
  const auto on_failed = std::move(callbacks_.on_failed);
  callbacks_ = {};
  on_failed(error);
}

void Process::AwaitStart() {
  start_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      if (error || self->state_ != State::kStarting) return;
                      // Asio may report an event of the descriptor that had this number before.
                      if (!self->TakeStart()) self->AwaitStart();
                    });
}

void Process::LimitStart() {
  start_timer_.expires_after(kStartTime);
  start_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->state_ != State::kStarting) return;
    self->Kill(SIGKILL);
    self->Fail(self->name_ + ": does not start; is its folder on a server that is away?");
  });
}

bool Process::TakeStart() {
  int child_error = 0;
  const ssize_t n = read(start_.native_handle(), &child_error, sizeof child_error);
  if (n < 0) return false;
  if (n > 0) {
    Fail(name_ + ": " + std::strerror(child_error));
    return true;
  }
  // exec has closed it.
  state_ = State::kStarted;
  start_timer_.cancel();
  start_.close();
  int listener = -1;
  if (listener_socket_ >= 0) {
    listener = private_port::ReceiveListener(listener_socket_);
    close(std::exchange(listener_socket_, -1));
  }
  callbacks_.on_started(listener);
  return true;
}

void Process::AwaitExit() {
  pidfd_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      if (error) return;
                      int status = 0;
                      // Asio may report an event of the descriptor that had this number before.
                      if (waitpid(self->pid_, &status, WNOHANG) == 0) return self->AwaitExit();
                      if (self->state_ == State::kStarting) self->TakeStart();
                      const bool started = self->state_ == State::kStarted;
                      self->state_ = State::kEnded;
                      if (!started) return;
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
        if (error || self->state_ == State::kFailed) return;
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
  if (state_ != State::kStarting && state_ != State::kStarted) return;
  if (kill(-pid_, signal) != 0) kill(pid_, signal);  // it may have no group yet
}

}  // namespace wsf::runtime
