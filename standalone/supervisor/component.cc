// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/component.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

extern char** environ;

namespace wsf::supervisor {
namespace {

using std::chrono::milliseconds;

constexpr int kExitUnusable = 2;
constexpr auto kBackOff = milliseconds(100);
// People wait for it on this machine, and one start costs little.
constexpr auto kBackOffMax = milliseconds(1000);
constexpr auto kHealthy = std::chrono::seconds(2);

}  // namespace

Component::Component(boost::asio::io_context& io, std::vector<std::string> command,
                     std::function<void(const std::string&)> on_line,
                     std::function<void()> on_unusable)
    : io_(io),
      command_(std::move(command)),
      on_line_(std::move(on_line)),
      on_unusable_(std::move(on_unusable)),
      again_(io),
      back_off_(kBackOff) {}

bool Component::Start() {
  runtime::ProcessOptions options;
  options.command = command_;
  for (char** each = environ; *each != nullptr; ++each) options.environment.emplace_back(*each);
  started_ = std::chrono::steady_clock::now();
  std::string error;
  process_ = runtime::Process::Start(
      io_, options, {on_line_, [this](const runtime::Exit& exit) { OnExit(exit); }}, nullptr,
      &error);
  if (process_ == nullptr) std::fprintf(stderr, "wsf: cannot start %s\n", error.c_str());
  return process_ != nullptr;
}

void Component::OnExit(const runtime::Exit& exit) {
  process_.reset();
  if (stopping_) return;
  if (exit.code == kExitUnusable) return on_unusable_();
  std::fprintf(stderr, "wsf: %s ended with status %d; starting it again\n", command_[0].c_str(),
               exit.code);
  if (std::chrono::steady_clock::now() - started_ > kHealthy) back_off_ = kBackOff;
  StartAgain();
}

// Until it runs: a machine may be out of processes, memory or descriptors for a while (U22).
void Component::StartAgain() {
  again_.expires_after(back_off_);
  back_off_ = std::min<milliseconds>(back_off_ * 2, kBackOffMax);
  again_.async_wait([this](const boost::system::error_code& failed) {
    if (!failed && !Start()) StartAgain();
  });
}

void Component::Stop() {
  stopping_ = true;
  again_.cancel();
  if (process_ != nullptr) process_->Kill(SIGTERM);
}

}  // namespace wsf::supervisor
