// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wsf::report {

/// The termination message file: the durable copy of what the sidecar knows (A23, contracts.md
/// "Record and ledger"). Kubernetes keeps its text in the container's status, whoever else is down.
///
/// Each Write is one pwrite of the whole text, padded with spaces to the longest so far (a rename
/// fails on that mount). The file is a step's or its predecessor's once the process has ended,
/// which is when a kubelet reads it. Who reads while it runs may see the new half of a text before
/// the old one, and waits for the report that follows a write.
class TerminationMessage {
 public:
  /// An empty `path` keeps nothing.
  explicit TerminationMessage(const std::string& path);
  ~TerminationMessage();
  TerminationMessage(const TerminationMessage&) = delete;
  TerminationMessage& operator=(const TerminationMessage&) = delete;

  /// Replaces the text; an empty one blanks it. A failing write (a full disk, faults.md 45) costs
  /// the durable copy, never the session: the report still goes out.
  void Write(std::string_view text);

 private:
  int file_ = -1;
  std::size_t longest_ = 0;
};

}  // namespace wsf::report
