// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "common/observe/line_writer.h"

namespace wsf::supervisor {

/// What a person sees of a running `wsf dev`: a line when a session starts, one when it ends, the
/// programs' own output, and what went wrong. A terminal that is stopped, or a pager, holds nobody
/// up; what it has missed is counted.
///
/// Threading: confined to the supervisor's thread.
class Console {
 public:
  /// `records_path`: a file to which each record is appended as one JSON line, or "".
  explicit Console(const std::string& records_path);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Whether the records file could be opened.
  bool ok() const { return ok_; }

  /// A log line of operator or gateway.
  void OnLog(const std::string& line);
  void OnServerOutput(const std::string& pod, const std::string& line);
  /// One or more lines, without the last line end.
  void Say(std::string_view lines) { out_.Write(lines); }
  /// One line on standard error.
  void Complain(std::string_view line) { error_.Write(line); }

 private:
  void OnSession(const nlohmann::json& record);
  /// A new operator may log what the killed one had logged already: at least once becomes once.
  bool IsNew(const nlohmann::json& record);

  observe::LineWriter out_;
  observe::LineWriter error_;
  bool ok_ = true;
  std::FILE* records_ = nullptr;
  std::set<std::string> seen_;    // pod uid and request id
  std::deque<std::string> last_;  // the same, oldest first
};

/// The line of an ended session: code, who closed, how long, how much, and the field to change when
/// a time-out ended it (U10).
std::string DescribeSession(const nlohmann::json& record);

}  // namespace wsf::supervisor
