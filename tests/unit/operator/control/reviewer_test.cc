// SPDX-License-Identifier: Apache-2.0
#include "operator/control/reviewer.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace wsf::control {
namespace {

using kube::Json;
using Answer = Reviewer::Answer;

// An API server that answers when the test says so.
class Api final : public kube::Client {
 public:
  void Get(const std::string&, Callback) override {}
  void Create(const std::string&, const Json& body, Callback callback) override {
    asked.push_back(TokenIn(body));
    callbacks.push_back(std::move(callback));
  }
  void Update(const std::string&, const Json&, Callback) override {}
  void Apply(const std::string&, kube::Patch, const Json&, Callback) override {}
  void Delete(const std::string&, const Json&, Callback) override {}
  std::unique_ptr<Watch> StartWatch(const std::string&, std::function<void(const std::string&)>,
                                    std::function<void(absl::Status)>) override {
    return nullptr;
  }

  void Say(std::size_t call, int status, const Json& review_status) {
    kube::Response response;
    response.status = status;
    response.body = {{"status", review_status}};
    callbacks[call](response);
  }

  std::vector<std::string> asked;
  std::vector<Callback> callbacks;

 private:
  static std::string TokenIn(const Json& body) { return body["spec"]["token"]; }
};

std::string TokenOf(const std::string& pod_uid, int number = 0) {
  const Json claims = {{"kubernetes.io", {{"pod", {{"uid", pod_uid}}}}}};
  return absl::StrCat("e30.", absl::WebSafeBase64Escape(claims.dump()), ".signature", number);
}

Json StatusOf(const std::string& pod_uid) {
  return {{"authenticated", true},
          {"audiences", {"wsf-operator"}},
          {"user", {{"extra", {{"authentication.kubernetes.io/pod-uid", {pod_uid}}}}}}};
}

class ReviewerTest : public testing::Test {
 protected:
  void Review(const std::string& token, const std::string& uid) {
    reviewer_.Review(token, uid, [this](Answer answer) { answers_.push_back(answer); });
  }

  Api api_;
  bool is_known_ = true;
  std::vector<Answer> answers_;
  Reviewer reviewer_{&api_, [this](const std::string&) { return is_known_; }};
};

TEST_F(ReviewerTest, S8_S14_a_token_that_does_not_say_it_is_the_pods_costs_no_call) {
  for (const std::string& token :
       {std::string(), std::string("garbage"), std::string("a.b.c"), TokenOf("another"),
        std::string("e30.!!.x"), "e30." + absl::WebSafeBase64Escape("[1]") + ".x",
        "e30." + absl::WebSafeBase64Escape(R"({"kubernetes.io":{"pod":{"uid":["u"]}}})") + ".x",
        TokenOf("u") + ".more"})
    Review(token, "u");
  Review(TokenOf(""), "");
  EXPECT_TRUE(api_.asked.empty());
  EXPECT_EQ(answers_, std::vector<Answer>(9, Answer::kRefused));
}

TEST_F(ReviewerTest, K34_what_the_api_says_decides) {
  Review(TokenOf("u"), "u");
  api_.Say(0, 201, StatusOf("u"));
  EXPECT_EQ(answers_.back(), Answer::kItsPod);
  Review(TokenOf("u", 1), "u");
  api_.Say(1, 201, StatusOf("another"));
  EXPECT_EQ(answers_.back(), Answer::kRefused);
  Review(TokenOf("u", 2), "u");
  api_.Say(2, 201, {{"authenticated", false}});
  EXPECT_EQ(answers_.back(), Answer::kRefused);
  Review(TokenOf("u", 3), "u");
  api_.Say(3, 503, nullptr);
  EXPECT_EQ(answers_.back(), Answer::kUnknown);
}

TEST_F(ReviewerTest, K31_a_token_that_was_not_reviewed_for_us_is_refused) {
  for (const Json& audiences : {Json(), Json::array(), Json{"https://kubernetes.default.svc"}}) {
    Json status = StatusOf("u");
    status["audiences"] = audiences;
    Review(TokenOf("u"), "u");
    api_.Say(api_.asked.size() - 1, 201, status);
    EXPECT_EQ(answers_.back(), Answer::kRefused);
  }
}

TEST_F(ReviewerTest, K34_a_positive_answer_is_kept_while_the_pod_is_known) {
  Review(TokenOf("u"), "u");
  api_.Say(0, 201, StatusOf("u"));
  Review(TokenOf("u"), "u");
  EXPECT_EQ(answers_, std::vector<Answer>(2, Answer::kItsPod));
  EXPECT_EQ(api_.asked.size(), 1u);
  is_known_ = false;
  Review(TokenOf("u"), "u");
  EXPECT_EQ(api_.asked.size(), 2u);
}

TEST_F(ReviewerTest, S8_the_same_token_is_asked_for_once_at_a_time) {
  for (int i = 0; i < 5; ++i) Review(TokenOf("u"), "u");
  EXPECT_EQ(api_.asked.size(), 1u);
  api_.Say(0, 201, StatusOf("u"));
  EXPECT_EQ(answers_, std::vector<Answer>(5, Answer::kItsPod));
}

TEST_F(ReviewerTest, S8_a_flood_of_tokens_is_asked_for_little_by_little) {
  const std::size_t all = Reviewer::kMaxAsked + Reviewer::kMaxWaiting + 10;
  for (std::size_t i = 0; i < all; ++i) Review(TokenOf("u", static_cast<int>(i)), "u");
  EXPECT_EQ(api_.asked.size(), Reviewer::kMaxAsked);
  EXPECT_EQ(answers_, std::vector<Answer>(10, Answer::kUnknown));
  for (std::size_t call = 0; call < Reviewer::kMaxAsked + Reviewer::kMaxWaiting; ++call) {
    ASSERT_LE(api_.asked.size(), call + Reviewer::kMaxAsked);
    api_.Say(call, 201, {{"authenticated", false}});
  }
  EXPECT_EQ(answers_.size(), all);
  Review(TokenOf("u"), "u");
  api_.Say(api_.asked.size() - 1, 201, StatusOf("u"));
  EXPECT_EQ(answers_.back(), Answer::kItsPod);
}

}  // namespace
}  // namespace wsf::control
