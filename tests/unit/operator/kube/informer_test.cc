// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/informer.h"

#include <gtest/gtest.h>

#include <vector>

namespace wsf::kube {
namespace {

Json Object(const std::string& name, const std::string& uid, int version) {
  return {{"metadata",
           {{"namespace", "ns"},
            {"name", name},
            {"uid", uid},
            {"resourceVersion", std::to_string(version)}}}};
}

// An API server whose lists and watch lines the test says.
class Api : public Client {
 public:
  void Get(const std::string& path, Callback callback) override {
    lists.push_back(path);
    on_list = std::move(callback);
  }
  void Create(const std::string&, const Json&, Callback) override {}
  void Update(const std::string&, const Json&, Callback) override {}
  void Apply(const std::string&, Patch, const Json&, Callback) override {}
  void Delete(const std::string&, const Json&, Callback) override {}
  std::unique_ptr<Watch> StartWatch(const std::string& path,
                                    std::function<void(const std::string&)> line,
                                    std::function<void(absl::Status)> end) override {
    watches.push_back(path);
    on_line = std::move(line);
    on_end = std::move(end);
    return std::make_unique<Watch>();
  }

  void AnswerList(std::vector<Json> items, int version) {
    Response response;
    response.status = 200;
    response.body = {{"metadata", {{"resourceVersion", std::to_string(version)}}},
                     {"items", std::move(items)}};
    std::exchange(on_list, nullptr)(response);
  }
  void Say(const std::string& type, Json object) {
    on_line(Json({{"type", type}, {"object", std::move(object)}}).dump());
  }

  std::vector<std::string> lists;
  std::vector<std::string> watches;
  Callback on_list;
  std::function<void(const std::string&)> on_line;
  std::function<void(absl::Status)> on_end;
};

class InformerTest : public testing::Test {
 protected:
  InformerTest() {
    informer_.List();
    api_.AnswerList({Object("a", "ua", 1), Object("b", "ub", 2)}, 5);
  }

  // Until the back-off is over and the next call is made.
  void RunTimer() {
    io_.restart();
    io_.run();
  }

  boost::asio::io_context io_;
  Api api_;
  std::vector<std::string> told_;
  std::vector<std::string> gone_;
  int listed_ = 0;
  Informer informer_{
      io_,
      &api_,
      "/things",
      "",
      {[this](const Json& object) { told_.push_back(object.at("metadata").at("name")); },
       [this](const std::string& uid) { gone_.push_back(uid); }, [this] { ++listed_; },
       [this](const std::string& name, const std::string&) { faults_.push_back(name); }}};
  std::vector<std::string> faults_;
};

// What an API server says in a watch's place while it starts, or when rights are taken away.
constexpr char kForbidden[] =
    R"({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403})";

TEST_F(InformerTest, D04_ARefusedWatchIsNoObjectAndIsFollowedByAList) {
  api_.on_line(kForbidden);
  api_.on_end(absl::FailedPreconditionError("HTTP 403"));
  EXPECT_EQ(told_.size(), 2u);
  RunTimer();
  ASSERT_EQ(api_.lists.size(), 2u);
  // What was deleted in between is found out.
  api_.AnswerList({Object("a", "ua", 1)}, 9);
  EXPECT_EQ(gone_, std::vector<std::string>{"ub"});
  EXPECT_TRUE(api_.watches.back().ends_with("resourceVersion=9"));
}

TEST_F(InformerTest, D04_AnEmptyRefusalIsFollowedByAList) {
  api_.on_end(absl::FailedPreconditionError("HTTP 504"));
  RunTimer();
  EXPECT_EQ(api_.lists.size(), 2u);
}

TEST_F(InformerTest, D04_AWatchThatOnlyBrokeGoesOnFromTheLastVersion) {
  api_.Say("MODIFIED", Object("a", "ua", 7));
  api_.on_end(absl::UnavailableError("reset"));
  RunTimer();
  EXPECT_EQ(api_.lists.size(), 1u);
  EXPECT_TRUE(api_.watches.back().ends_with("resourceVersion=7"));
}

TEST_F(InformerTest, D04_S19_WhatIsNoChangeOfAnObjectIsFollowedByAList) {
  const Json odd = {{"metadata", {{"name", "a"}, {"resourceVersion", "8"}}}};
  for (const std::string& line :
       {std::string("proxy error"), std::string("[]"), std::string("{}"),
        Json({{"type", "ADDED"}, {"object", odd}}).dump(),
        Json({{"type", "MOVED"}, {"object", Object("a", "ua", 8)}}).dump(),
        Json({{"type", "MODIFIED"}, {"object", "text"}}).dump()}) {
    const std::size_t before = api_.lists.size();
    api_.on_line(line);
    RunTimer();
    EXPECT_EQ(api_.lists.size(), before + 1) << line;
    api_.AnswerList({Object("a", "ua", 1), Object("b", "ub", 2)}, 5);
    api_.Say("MODIFIED", Object("a", "ua", 6));  // well again: the next pause is short
  }
  EXPECT_TRUE(gone_.empty());
}

TEST_F(InformerTest, D04_AListWithoutAVersionIsNoList) {
  api_.on_end(absl::FailedPreconditionError("HTTP 500"));
  RunTimer();
  Response response;
  response.status = 200;
  response.body = {{"kind", "Status"}};
  std::exchange(api_.on_list, nullptr)(response);
  EXPECT_TRUE(gone_.empty());
  RunTimer();
  EXPECT_EQ(api_.lists.size(), 3u);
}

TEST_F(InformerTest, D21_S19_AnObjectThatCannotBeHandledCostsNoOther) {
  Json nameless = Object("", "uc", 6);
  nameless["metadata"].erase("name");
  api_.Say("ADDED", nameless);
  EXPECT_EQ(faults_, std::vector<std::string>{"ns/"});
  api_.Say("ADDED", Object("d", "ud", 7));
  EXPECT_EQ(told_.back(), "d");
}

TEST_F(InformerTest, AListIsToldAndWatchedFromThere) {
  EXPECT_EQ(told_, std::vector<std::string>({"a", "b"}));
  EXPECT_EQ(listed_, 1);
  ASSERT_EQ(api_.watches.size(), 1u);
  EXPECT_TRUE(api_.watches[0].ends_with("resourceVersion=5"));
}

TEST_F(InformerTest, fault_5_house_M3_AnErrorInAStreamThatDoesNotEndListsAnew) {
  for (const int code : {410, 504}) {
    gone_.clear();
    const std::size_t lists = api_.lists.size();
    api_.Say("ERROR", {{"kind", "Status"}, {"code", code}});
    api_.Say("MODIFIED", Object("a", "ua", 9));  // behind a gap
    RunTimer();
    ASSERT_EQ(api_.lists.size(), lists + 1);
    api_.AnswerList({Object("a", "ua", 9)}, 12);
    EXPECT_TRUE(api_.watches.back().ends_with("resourceVersion=12"));
  }
  EXPECT_EQ(listed_, 3);
}

TEST_F(InformerTest, fault_5_WhatWentMeanwhileIsToldByTheNextList) {
  api_.Say("ERROR", {{"kind", "Status"}, {"code", 410}});
  api_.on_end(absl::OkStatus());
  RunTimer();
  api_.AnswerList({Object("a", "ua", 9)}, 12);
  EXPECT_EQ(gone_, std::vector<std::string>({"ub"}));
}

TEST_F(InformerTest, fault_6_ACutWatchResumesFromTheLastHandledVersion) {
  api_.Say("MODIFIED", Object("a", "ua", 7));
  api_.on_end(absl::UnavailableError("cut"));
  RunTimer();
  ASSERT_EQ(api_.watches.size(), 2u);
  EXPECT_TRUE(api_.watches[1].ends_with("resourceVersion=7"));
  EXPECT_EQ(api_.lists.size(), 1u);
}

TEST_F(InformerTest, fault_9_AnObjectMadeAnewUnseenIsFirstGone) {
  api_.Say("ADDED", Object("a", "another", 7));
  EXPECT_EQ(gone_, std::vector<std::string>({"ua"}));
  EXPECT_EQ(told_.back(), "a");
}

}  // namespace
}  // namespace wsf::kube
