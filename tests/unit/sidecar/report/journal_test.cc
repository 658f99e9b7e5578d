// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/journal.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace wsf::report {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{100000s};
constexpr std::int64_t kStart = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
constexpr char kUuid[] = "01918a94-db76-7000-8000-000000000000";

class JournalTest : public testing::Test {
 protected:
  JournalTest() : path_(MakeFile()), message_(path_), journal_(&message_) {}
  ~JournalTest() override { unlink(path_.c_str()); }

  static std::string MakeFile() {
    std::string pattern = testing::TempDir() + "/journal-XXXXXX";
    close(mkstemp(pattern.data()));
    return pattern;
  }

  std::string Text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  nlohmann::json Json() const { return nlohmann::json::parse(Text()); }

  void End(const std::string& id, int code, TimePoint now) {
    v1::SessionRecord record;
    record.set_request_id(id);
    record.set_status_code(code);
    record.set_established(kStart);
    journal_.Ended(record, now);
  }

  const std::string path_;
  TerminationMessage message_;
  Journal journal_;
};

TEST_F(JournalTest, A23_OneSessionLeavesItsStepAndThenItsRecord) {
  journal_.Claimed("r1", kStart);
  EXPECT_EQ(Json()["state"], "claimed");
  EXPECT_FALSE(Json().contains("established"));
  journal_.Established("r1", kNow, kStart + 1);
  EXPECT_EQ(Json()["state"], "live");
  EXPECT_EQ(Json()["requestStart"], "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(Json()["established"], "2026-01-01T00:00:00.000001Z");
  End("r1", 200, kNow + 1s);
  EXPECT_EQ(Json()["statusCode"], 200);
  EXPECT_EQ(journal_.TotalsAt(kNow).open(), 0);
}

TEST_F(JournalTest, AnUndoneClaimLeavesNothingAndIsNotOpenAnyMore) {
  journal_.Claimed("r1", kStart);
  journal_.Undone("r1");
  EXPECT_EQ(Text().find_first_not_of(' '), std::string::npos);
  journal_.Claimed("r2", kStart);
  EXPECT_EQ(Json()["requestId"], "r2");
  End("r2", 200, kNow);
  EXPECT_EQ(journal_.TotalsAt(kNow).open(), 0)
      << "the operator deletes the instance when this is 0";
}

TEST_F(JournalTest, S3_20_TheSecondSessionOfASharedInstanceTurnsTheMessageIntoTotals) {
  journal_.Claimed(kUuid, kStart);
  journal_.Established(kUuid, kNow, kStart);
  journal_.Claimed("r2", kStart);
  journal_.Established("r2", kNow + 5s, kStart + 5'000'000);
  EXPECT_EQ(Json()["open"].size(), 2u);
  EXPECT_EQ(Json()["open"][0], "AZGKlNt2cACAAAAAAAAAAA") << "22 characters";
  EXPECT_EQ(Json()["liveSince"], "2026-01-01T00:00:00.000000Z");
  End(kUuid, 200, kNow + 10s);
  End("r2", 456, kNow + 15s);
  EXPECT_EQ(Json()["open"].size(), 0u);
  EXPECT_FALSE(Json().contains("liveSince"));
  EXPECT_EQ(Json()["totals"]["byCode"], (nlohmann::json{{"200", 1}, {"456", 1}}));
  EXPECT_EQ(Json()["totals"]["billedMilliseconds"], 15000) << "[0,10] and [5,15]: their union";
}

TEST_F(JournalTest, AUndoneClaimBesideALiveSessionKeepsThat) {
  journal_.Claimed("r1", kStart);
  journal_.Established("r1", kNow, kStart);
  journal_.Claimed("r2", kStart);
  journal_.Undone("r2");
  EXPECT_EQ(Json()["requestId"], "r1");
  EXPECT_EQ(Json()["state"], "live");
}

TEST_F(JournalTest, AHundredOpenSessionsFitIntoATerminationMessage) {
  for (int i = 0; i < 100; ++i) {
    std::string id = kUuid;
    id.replace(id.size() - 3, 3, std::to_string(100 + i));
    journal_.Claimed(id, kStart);
    journal_.Established(id, kNow, kStart);
  }
  EXPECT_EQ(Json()["open"].size(), 100u);
  EXPECT_LE(Text().size(), 3500u);
}

}  // namespace
}  // namespace wsf::report
