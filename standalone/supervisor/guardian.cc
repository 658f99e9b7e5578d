// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/guardian.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace wsf::supervisor {
namespace {

volatile sig_atomic_t child_pid = 0;

// A terminal has told the child already, and an interrupt told twice would be a second one.
void PassOn(int signal, siginfo_t* how, void*) {
  const bool by_terminal = signal == SIGINT && how->si_code == SI_KERNEL;
  if (child_pid > 0 && !by_terminal) kill(child_pid, signal);
}

// Those whose parent has ended come to us: we are their subreaper. Killing our children makes
// theirs ours, so this ends when the whole tree has.
void KillAllChildren() {
  const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  while (true) {
    std::ifstream file(path);
    int pid = 0;
    while (file >> pid) kill(pid, SIGKILL);
    if (waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

}  // namespace

bool IsIgnored(int signal) {
  struct sigaction now = {};
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

int RunGuarded(const std::function<int()>& work) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t guardian = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guardian) _exit(1);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    const int status = work();
    std::fflush(nullptr);
    _exit(status);
  }
  child_pid = child;
  struct sigaction action = {};
  action.sa_sigaction = PassOn;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  if (!IsIgnored(SIGHUP)) sigaction(SIGHUP, &action, nullptr);
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) break;
  }
  KillAllChildren();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace wsf::supervisor
