// SPDX-License-Identifier: Apache-2.0
#include "operator/control/history.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace wsf::control {
namespace {

using Json = nlohmann::json;

v1::SessionRecord Record(const std::string& function, int number) {
  v1::SessionRecord record;
  record.set_namespace_("ns");
  record.set_function(function);
  record.set_request_id(std::to_string(number));
  record.set_ended(1'700'000'000'000'000 + number);
  return record;
}

class HistoryTest : public testing::Test {
 protected:
  Json Ask(const History::Query& query) { return Json::parse(history_.Describe(fleet_, query)); }
  std::vector<std::string> Ids(const Json& answer) {
    std::vector<std::string> ids;
    for (const Json& each : answer["records"]) ids.push_back(each["requestId"]);
    return ids;
  }
  using Texts = std::vector<std::string>;

  const fleet::Fleet fleet_{std::chrono::seconds(60)};
  History history_;
};

TEST_F(HistoryTest, D44_house_M10_AFunctionThatIsGoneIsForgotten) {
  history_.Add(Record("a", 1));
  history_.Add(Record("b", 2));
  history_.Forget("ns/a");
  history_.Forget("ns/unknown");
  EXPECT_EQ(history_.size(), 1u);
  EXPECT_EQ(Ids(Ask({})), Texts{"2"});
}

TEST_F(HistoryTest, D44_AllFunctionsTogetherHaveABound) {
  const int functions = History::kMaxRecords / History::kMaxPerFunction + 5;
  for (int i = 0; i < functions; ++i) {
    for (std::size_t n = 0; n < History::kMaxPerFunction; ++n) {
      history_.Add(Record("f" + std::to_string(i), static_cast<int>(n)));
    }
  }
  EXPECT_EQ(history_.size(), History::kMaxRecords);
  history_.Add(Record("small", 7));
  EXPECT_EQ(history_.size(), History::kMaxRecords);
  EXPECT_EQ(Ids(Ask({"ns", "small", ""})), Texts{"7"});
}

TEST_F(HistoryTest, house_M10_ACursorAsksForWhatIsNew) {
  history_.Add(Record("a", 2));
  history_.Add(Record("b", 1));
  const Json first = Ask({});
  EXPECT_EQ(Ids(first), (Texts{"1", "2"}));  // by end
  const std::string cursor = first["cursor"];
  EXPECT_EQ(Ids(Ask({"", "", cursor})), Texts{});
  history_.Add(Record("a", 0));  // counted late
  EXPECT_EQ(Ids(Ask({"", "", cursor})), Texts{"0"});
  EXPECT_EQ(Ids(Ask({"ns", "b", cursor})), Texts{});
}

TEST_F(HistoryTest, house_M10_ACursorOfAnotherOperatorAsksForAll) {
  history_.Add(Record("a", 1));
  for (const char* foreign : {"x", "x.7", ".", "7"}) {
    EXPECT_EQ(Ids(Ask({"", "", foreign})), Texts{"1"}) << foreign;
  }
}

}  // namespace
}  // namespace wsf::control
