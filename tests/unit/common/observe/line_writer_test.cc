// SPDX-License-Identifier: Apache-2.0
#include "common/observe/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>

#include "common/base/ids.h"

namespace wsf::observe {
namespace {

constexpr auto kLong = std::chrono::minutes(1);

std::string Dropped(std::uint64_t lines) { return "dropped " + std::to_string(lines); }

// What a reader gets up to `last`.
std::string ReadUpTo(int descriptor, const std::string& last) {
  std::string all;
  std::array<char, 4096> part;
  while (all.find(last) == std::string::npos) {
    const ssize_t n = read(descriptor, part.data(), part.size());
    if (n <= 0) break;
    all.append(part.data(), static_cast<std::size_t>(n));
  }
  return all;
}

class LineWriterTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(pipe_.data()), 0); }
  void TearDown() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }
  std::array<int, 2> pipe_;
};

TEST_F(LineWriterTest, D19_house_M2_AReaderThatStandsStillHoldsNobodyUp) {
  LineWriter writer(pipe_[1], Dropped);
  const std::string line(999, 'x');
  for (int i = 0; i < 1000; ++i) writer.Write(line);  // a pipe has 64 KiB
  std::string all = ReadUpTo(pipe_[0], "dropped");
  if (all.back() != '\n') all += ReadUpTo(pipe_[0], "\n");
  // Those that were kept are whole, and then stands what is missing.
  const std::size_t note = all.find("dropped");
  ASSERT_NE(note, std::string::npos);
  EXPECT_EQ(note % 1000, 0u);
  EXPECT_GE(note, LineWriter::kMaxKept / 1000 * 1000);
  EXPECT_EQ(all.substr(note, all.find('\n', note) - note), Dropped(1000 - note / 1000));
  writer.Finish(kLong);
  writer.Write("after");
  EXPECT_NE(ReadUpTo(pipe_[0], "after").find("after"), std::string::npos);
}

TEST_F(LineWriterTest, D19_ALineBeyondAllBoundsIsMissedAloneAndTold) {
  LineWriter writer(pipe_[1], Dropped);
  writer.Write(std::string(2 * LineWriter::kMaxKept, 'x'));
  writer.Write("after");
  EXPECT_EQ(ReadUpTo(pipe_[0], "after\n"), "dropped 1\nafter\n");
}

TEST_F(LineWriterTest, D19_ALineThatIsTakenIsWrittenBeforeTheNextStep) {
  LineWriter writer(pipe_[1], Dropped);
  writer.Write("one");
  std::array<char, 16> part;
  EXPECT_EQ(read(pipe_[0], part.data(), part.size()), 4);
}

TEST_F(LineWriterTest, D19_TheOpenFileThatOthersUseIsLeftAsItIs) {
  LineWriter writer(pipe_[1], Dropped);
  EXPECT_EQ(fcntl(pipe_[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(LineWriterTest, D19_WithoutAReaderALogIsDroppedInSilence) {
  LineWriter writer(pipe_[1], Dropped);
  close(pipe_[0]);
  signal(SIGPIPE, SIG_IGN);
  writer.Write("one");
  writer.Finish(kLong);
  signal(SIGPIPE, SIG_DFL);
  pipe_[0] = open("/dev/null", O_RDONLY);
}

TEST(LineWriterKinds, D19_ASocketAsJournaldsHoldsNobodyUp) {
  std::array<int, 2> pair;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  LineWriter writer(pair[1], Dropped);
  const std::string line(999, 'x');
  for (int i = 0; i < 2000; ++i) writer.Write(line);
  EXPECT_NE(ReadUpTo(pair[0], "dropped").find("dropped"), std::string::npos);
  close(pair[0]);
  close(pair[1]);
}

TEST(LineWriterKinds, D19_InAFileItKeepsItsPlaceBesideOthers) {
  const std::string path = testing::TempDir() + "log-" + NewUuid();
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  LineWriter writer(file, Dropped);
  for (const char* each : {"a", "b"}) {
    writer.Write(each);
    ASSERT_EQ(write(file, "other\n", 6), 6);
  }
  close(file);
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "a\nother\nb\nother\n");
  unlink(path.c_str());
}

}  // namespace
}  // namespace wsf::observe
