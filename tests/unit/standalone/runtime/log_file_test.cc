// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/log_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace wsf::runtime {
namespace {

namespace fs = std::filesystem;

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() { fs::create_directories(folder_); }
  ~LogFileTest() override { fs::remove_all(folder_); }

  std::uintmax_t BytesOnDisk() const {
    std::uintmax_t bytes = 0;
    for (const auto& each : fs::directory_iterator(folder_)) bytes += fs::file_size(each);
    return bytes;
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("log" + std::to_string(getpid()));
  const std::string path_ = folder_ / "a.log";
};

TEST_F(LogFileTest, WhatWasPrintedIsRead) {
  LogFile log(path_);
  EXPECT_EQ(ReadLog(path_), "") << "one that says nothing has a log too";
  log.Append("one");
  log.Append("two");
  EXPECT_EQ(ReadLog(path_), "one\ntwo\n");
  EXPECT_EQ(ReadLog(path_ + "x"), "");
}

TEST_F(LogFileTest, D16_AServerThatPrintsWithoutEndFillsNoDisk) {
  LogFile log(path_);
  const std::string line(999, 'x');
  for (int i = 0; i < 50'000; ++i) log.Append(line);
  log.Append("the last");
  EXPECT_LE(BytesOnDisk(), 2 * LogFile::kMaxBytes + 2000);
  const std::string text = ReadLog(path_);
  EXPECT_GE(text.size(), static_cast<std::size_t>(LogFile::kMaxBytes));
  EXPECT_TRUE(text.ends_with("x\nthe last\n"));
}

TEST_F(LogFileTest, D16_ALineThatCannotBeWrittenIsDroppedAndTheNextIsNot) {
  const std::string path = folder_ / "later" / "a.log";
  LogFile log(path);
  log.Append("lost");
  fs::create_directories(folder_ / "later");
  log.Append("kept");
  EXPECT_EQ(ReadLog(path), "kept\n");
}

TEST_F(LogFileTest, BothFilesMoveAndGo) {
  {
    LogFile log(path_);
    const std::string line(LogFile::kMaxBytes, 'x');
    log.Append(line);
    log.Append("two");
  }
  EXPECT_TRUE(MoveLog(path_, folder_ / "b.log"));
  EXPECT_FALSE(MoveLog(path_, folder_ / "c.log"));
  EXPECT_TRUE(ReadLog(folder_ / "b.log").ends_with("x\ntwo\n"));
  RemoveLog(folder_ / "b.log");
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace wsf::runtime
