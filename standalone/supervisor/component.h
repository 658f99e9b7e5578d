// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "standalone/runtime/process.h"

namespace wsf::supervisor {

/// A child that is started again whenever it ends: operator or gateway (U22).
///
/// Threading: confined to the io_context's one thread.
class Component {
 public:
  /// `on_line` gets what it prints, `on_trouble` a line of our own when it has ended or cannot be
  /// started. `on_unusable` is called when it ends with status 2 (wrong flags or a port in use) or
  /// could not be started the first time: starting again does not cure that.
  Component(boost::asio::io_context& io, std::vector<std::string> command,
            std::function<void(const std::string& line)> on_line,
            std::function<void(const std::string& line)> on_trouble,
            std::function<void()> on_unusable);

  void Start();
  /// SIGTERM, and not again.
  void Stop();
  bool running() const { return process_ != nullptr; }
  pid_t pid() const { return process_ == nullptr ? 0 : process_->pid(); }

 private:
  void OnFailedStart(const std::string& error);
  void OnExit(const runtime::Exit& exit);
  void StartAgain();

  boost::asio::io_context& io_;
  const std::vector<std::string> command_;
  const std::function<void(const std::string&)> on_line_;
  const std::function<void(const std::string&)> on_trouble_;
  const std::function<void()> on_unusable_;
  std::shared_ptr<runtime::Process> process_;
  boost::asio::steady_timer again_;
  std::chrono::milliseconds back_off_;
  TimePoint started_;
  bool has_run_ = false;
  bool stopping_ = false;
};

}  // namespace wsf::supervisor
