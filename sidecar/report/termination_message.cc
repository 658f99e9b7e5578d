// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/termination_message.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace wsf::report {

TerminationMessage::TerminationMessage(const std::string& path) {
  if (path.empty()) return;
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) std::perror(("wsf-sidecar: termination message " + path).c_str());
}

TerminationMessage::~TerminationMessage() {
  if (file_ >= 0) close(file_);
}

void TerminationMessage::Write(std::string_view text) {
  if (file_ < 0) return;
  longest_ = std::max(longest_, text.size());
  std::string padded(text);
  padded.resize(longest_, ' ');
  const ssize_t written = pwrite(file_, padded.data(), padded.size(), 0);
  if (written != static_cast<ssize_t>(padded.size())) {
    std::perror("wsf-sidecar: termination message");
  }
}

}  // namespace wsf::report
