// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace wsf::runtime {
namespace {

std::string Before(const std::string& path) { return path + ".1"; }

void ReadInto(const std::string& path, std::string* text) {
  std::ifstream file(path);
  text->append(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace

LogFile::LogFile(std::string path) : path_(std::move(path)) { Open(); }

LogFile::~LogFile() {
  if (file_ >= 0) close(file_);
}

void LogFile::Open() {
  if (file_ >= 0) close(file_);
  file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat now {};
  size_ = file_ >= 0 && fstat(file_, &now) == 0 ? now.st_size : 0;
}

void LogFile::Append(std::string_view line) {
  if (size_ >= kMaxBytes) {
    std::error_code ignored;
    std::filesystem::rename(path_, Before(path_), ignored);
    Open();
  }
  if (file_ < 0) Open();
  std::string text(line);
  text += '\n';
  const ssize_t written = write(file_, text.data(), text.size());
  if (written > 0) size_ += written;
}

std::string ReadLog(const std::string& path) {
  std::string text;
  ReadInto(Before(path), &text);
  ReadInto(path, &text);
  return text;
}

bool MoveLog(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::rename(Before(from), Before(to), error);  // most have none
  std::filesystem::rename(from, to, error);
  return !error;
}

void RemoveLog(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(Before(path), ignored);
  std::filesystem::remove(path, ignored);
}

}  // namespace wsf::runtime
