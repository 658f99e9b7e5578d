// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/component.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"

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
                     std::function<void(const std::string&)> on_trouble,
                     std::function<void()> on_unusable)
    : io_(io),
      command_(std::move(command)),
      on_line_(std::move(on_line)),
      on_trouble_(std::move(on_trouble)),
      on_unusable_(std::move(on_unusable)),
      again_(io),
      back_off_(kBackOff) {}

void Component::Start() {
  runtime::ProcessOptions options;
  options.command = command_;
  for (char** each = environ; *each != nullptr; ++each) options.environment.emplace_back(*each);
  started_ = std::chrono::steady_clock::now();
  runtime::Process::Callbacks callbacks;
  callbacks.on_started = [this](int) { has_run_ = true; };
  callbacks.on_failed = [this](const std::string& error) { OnFailedStart(error); };
  callbacks.on_output = on_line_;
  callbacks.on_exit = [this](const runtime::Exit& exit) { OnExit(exit); };
  process_ = runtime::Process::Start(io_, options, std::move(callbacks));
}

void Component::OnFailedStart(const std::string& error) {
  process_.reset();
  on_trouble_("wsf: cannot start " + error);
  if (stopping_) return;
  if (!has_run_) return on_unusable_();
  StartAgain();
}

void Component::OnExit(const runtime::Exit& exit) {
  process_.reset();
  if (stopping_) return;
  if (exit.code == kExitUnusable) return on_unusable_();
  on_trouble_(
      absl::StrCat("wsf: ", command_[0], " ended with status ", exit.code, "; starting it again"));
  if (std::chrono::steady_clock::now() - started_ > kHealthy) back_off_ = kBackOff;
  StartAgain();
}

// Until it runs: a machine may be out of processes, memory or descriptors for a while (U22).
void Component::StartAgain() {
  again_.expires_after(back_off_);
  back_off_ = std::min<milliseconds>(back_off_ * 2, kBackOffMax);
  again_.async_wait([this](const boost::system::error_code& failed) {
    if (!failed) Start();
  });
}

void Component::Stop() {
  stopping_ = true;
  again_.cancel();
  if (process_ != nullptr) process_->Kill(SIGTERM);
}

}  // namespace wsf::supervisor
