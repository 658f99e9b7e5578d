// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wsf::runtime {

/// What a container has printed: a file and, once that is full, the one before it. So a server that
/// prints without end fills no disk, and none of it is ever read but the last 8 MiB.
///
/// A line that cannot be written, on a full disk above all, is dropped: a log must not end what it
/// tells of. Not synchronized.
class LogFile {
 public:
  static constexpr std::int64_t kMaxBytes = 4 << 20;  ///< of each of the two files

  explicit LogFile(std::string path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void Append(std::string_view line);

 private:
  void Open();

  const std::string path_;
  int file_ = -1;
  std::int64_t size_ = 0;
};

/// Both files of a log, the older first; "" for none.
std::string ReadLog(const std::string& path);
/// Moves both files of a log to another path on the same disk; false when there was none.
bool MoveLog(const std::string& from, const std::string& to);
void RemoveLog(const std::string& path);

}  // namespace wsf::runtime
