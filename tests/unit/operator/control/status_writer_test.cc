// SPDX-License-Identifier: Apache-2.0
#include "operator/control/status_writer.h"

#include <gtest/gtest.h>

namespace wsf::control {
namespace {

using namespace std::chrono_literals;
using kube::Json;

// An API server that answers each write as the test says, and knows no function.
class Api final : public kube::Client {
 public:
  void Get(const std::string&, Callback callback) override { Answer(404, callback); }
  void Create(const std::string&, const Json&, Callback) override {}
  void Update(const std::string&, const Json&, Callback) override {}
  void Apply(const std::string&, kube::Patch, const Json&, Callback callback) override {
    ++patches;
    Answer(status, callback);
  }
  void Delete(const std::string&, const Json&, Callback) override {}
  std::unique_ptr<Watch> StartWatch(const std::string&, std::function<void(const std::string&)>,
                                    std::function<void(absl::Status)>) override {
    return nullptr;
  }

  int status = 200;
  int patches = 0;

 private:
  static void Answer(int status, const Callback& callback) {
    kube::Response response;
    response.status = status;
    callback(response);
  }
};

class StatusWriterTest : public testing::Test {
 protected:
  StatusWriterTest() {
    function_ =
        spec::ParseFunction({{"metadata", {{"namespace", "ns"}, {"name", "f"}, {"uid", "fu"}}},
                             {"spec", {{"image", "i"}}}});
    fleet_.OnPodsListed(now_);
    fleet_.OnFunction(function_, now_);
    ledger_.OnFunction(function_.owner(), 1, ledger::Book());
    ledger_.OnPodsAsked();
    ledger_.OnPodsListed();
    writer_.OnFunction("ns/f", "1", Json::object());
  }

  // Writes whenever one is due, for so long; how many were sent.
  int WritesIn(Duration time) {
    const int before = api_.patches;
    for (const TimePoint end = now_ + time; now_ < end; now_ += 100ms) writer_.Write(fleet_, now_);
    return api_.patches - before;
  }

  Api api_;
  spec::Function function_;
  fleet::Fleet fleet_{60s};
  ledger::Ledger ledger_;
  status::Hosts hosts_;
  TimePoint now_{100000s};
  StatusWriter writer_{&api_, "wss://x", &ledger_, &hosts_, [](const Json&) {}, [] {}};
};

TEST_F(StatusWriterTest, D22_AStatusThatIsRefusedIsWrittenLessAndLessOften) {
  api_.status = 422;
  EXPECT_LE(WritesIn(60s), 7);
  EXPECT_LE(WritesIn(600s), 11);
  EXPECT_GE(WritesIn(600s), 9) << "never given up";
}

TEST_F(StatusWriterTest, D22_AnApiThatIsAwayIsTriedEveryFewSeconds) {
  for (const int status : {0, 429, 500, 503}) {
    api_.status = status;
    EXPECT_LE(WritesIn(60s), 18) << status;
    EXPECT_GE(WritesIn(60s), 14) << status;
  }
  api_.status = 200;
  EXPECT_GE(WritesIn(4100ms), 1) << "back, and told within 4 s";
}

TEST_F(StatusWriterTest, D22_AConflictIsNoFailure) {
  api_.status = 409;
  EXPECT_GE(WritesIn(60s), 50);
}

}  // namespace
}  // namespace wsf::control
