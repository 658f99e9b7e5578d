// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/patient_client.h"

#include <gtest/gtest.h>

#include <deque>
#include <utility>
#include <vector>

namespace wsf::kube {
namespace {

// An API server that answers when the test says so.
class Api final : public Client {
 public:
  void Get(const std::string& path, Callback callback) override {
    sent.push_back(path);
    unanswered.push_back(std::move(callback));
  }
  void Create(const std::string&, const Json&, Callback) override {}
  void Update(const std::string&, const Json&, Callback) override {}
  void Apply(const std::string&, Patch, const Json&, Callback) override {}
  void Delete(const std::string&, const Json&, Callback) override {}
  std::unique_ptr<Watch> StartWatch(const std::string&, std::function<void(const std::string&)>,
                                    std::function<void(absl::Status)>) override {
    return nullptr;
  }

  // The call that has waited longest.
  void Answer(int status, std::chrono::seconds retry_after = {}) {
    const Callback callback = std::move(unanswered.front());
    unanswered.pop_front();
    Response response;
    response.status = status;
    response.retry_after = retry_after;
    callback(response);
  }

  std::vector<std::string> sent;
  std::deque<Callback> unanswered;
};

class PatientClientTest : public testing::Test {
 protected:
  std::unique_ptr<PatientClient> Client(PatientClient::Limits limits) {
    auto api = std::make_unique<Api>();
    api_ = api.get();
    return std::make_unique<PatientClient>(
        io_, std::move(api), [](const char*, const std::string&, int) {}, limits);
  }
  Client::Callback Note() {
    return [this](const Response& response) { answers_.push_back(response.status); };
  }

  boost::asio::io_context io_;
  Api* api_ = nullptr;
  std::vector<int> answers_;
};

TEST_F(PatientClientTest, D45_NoMoreThanSoManyAreUnanswered) {
  const auto client = Client({.in_flight = 3, .per_second = 1000});
  for (int i = 0; i < 10; ++i) client->Get("/" + std::to_string(i), Note());
  EXPECT_EQ(api_->sent.size(), 3u);
  EXPECT_EQ(client->awaited(), 10u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_LE(api_->unanswered.size(), 3u);
    api_->Answer(200);
  }
  EXPECT_EQ(answers_.size(), 10u);
  EXPECT_EQ(client->awaited(), 0u);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(api_->sent[i], "/" + std::to_string(i));
}

TEST_F(PatientClientTest, D45_NoMoreThanSoManyAreSentAtOnce) {
  const auto client = Client({.in_flight = 100, .per_second = 1});
  for (int i = 0; i < 3; ++i) client->Get("/", Note());
  EXPECT_EQ(api_->sent.size(), 2u) << "those of two seconds";
  io_.run();  // until no timer is left
  EXPECT_EQ(api_->sent.size(), 3u);
}

TEST_F(PatientClientTest, K08_WhatPeopleReadWaitsBehindWhatSomebodyWaitsFor) {
  const auto client = Client({.in_flight = 1, .per_second = 1000});
  for (const char* path : {"/a", "/f/status", "/namespaces/n/events", "/b"}) {
    client->Get(path, Note());
  }
  for (int i = 0; i < 4; ++i) api_->Answer(200);
  EXPECT_EQ(api_->sent,
            std::vector<std::string>({"/a", "/b", "/f/status", "/namespaces/n/events"}));
}

TEST_F(PatientClientTest, fault_4_WhoIsPutOffComesAgainAndHoldsNobodyUp) {
  const auto client = Client({.in_flight = 1, .per_second = 1000});
  client->Get("/a", Note());
  client->Get("/b", Note());
  api_->Answer(429, std::chrono::seconds(1));
  EXPECT_EQ(api_->sent, std::vector<std::string>({"/a", "/b"}));
  api_->Answer(200);
  io_.run();
  EXPECT_EQ(api_->sent.back(), "/a");
  api_->Answer(200);
  EXPECT_EQ(answers_, std::vector<int>({200, 200}));
}

TEST_F(PatientClientTest, fault_4_AnAnswerWithoutRetryAfterIsTheCallers) {
  const auto client = Client({});
  client->Get("/", Note());
  api_->Answer(503);
  EXPECT_EQ(answers_, std::vector<int>{503});
}

}  // namespace
}  // namespace wsf::kube
