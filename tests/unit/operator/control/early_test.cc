// SPDX-License-Identifier: Apache-2.0
#include "operator/control/early.h"

#include <gtest/gtest.h>

namespace wsf::control {
namespace {

class Link final : public service::GatewayLink {
  void Send(v1::ToGateway) override {}
};

v1::FromGateway Waiting(const std::string& id) {
  v1::FromGateway message;
  message.mutable_waiting()->set_request_id(id);
  return message;
}

v1::FromGateway Left(const std::string& id) {
  v1::FromGateway message;
  message.mutable_left()->set_request_id(id);
  return message;
}

TEST(EarlyMessages, D23_WhoHasComeAndLeftTakesNoPlace) {
  const auto link = std::make_shared<Link>();
  EarlyMessages early;
  v1::FromGateway hello;
  hello.mutable_hello()->set_gateway("g");
  early.Add(link, hello);
  for (int i = 0; i < 10'000; ++i) {
    early.Add(link, Waiting(std::to_string(i)));
    early.Add(link, Left(std::to_string(i)));
  }
  early.Add(link, Waiting("last"));
  EXPECT_EQ(early.size(), 2u);
  const auto all = early.TakeAll();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].second.has_hello());
  EXPECT_EQ(all[1].second.waiting().request_id(), "last");
  EXPECT_EQ(early.size(), 0u);
}

TEST(EarlyMessages, D23_WhoWaitsAgainWaitsOnce) {
  const auto link = std::make_shared<Link>();
  EarlyMessages early;
  early.Add(link, Waiting("1"));
  early.Add(link, Waiting("2"));
  early.Add(link, Waiting("1"));  // an instance that it got was none
  EXPECT_EQ(early.size(), 2u);
  early.Add(link, Left("1"));
  early.Add(link, Left("never waited"));
  const auto all = early.TakeAll();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].second.waiting().request_id(), "2");
}

TEST(EarlyMessages, D23_AHandshakeOfAnotherGatewayIsAnother) {
  const auto one = std::make_shared<Link>();
  const auto other = std::make_shared<Link>();
  EarlyMessages early;
  early.Add(one, Waiting("1"));
  early.Add(other, Waiting("1"));
  early.Add(other, Left("1"));
  EXPECT_EQ(early.size(), 1u);
  early.Drop(one);
  EXPECT_EQ(early.size(), 0u);
  early.Add(one, Left("1"));  // of before its stream was lost
  EXPECT_EQ(early.size(), 0u);
}

}  // namespace
}  // namespace wsf::control
