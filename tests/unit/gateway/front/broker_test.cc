// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/broker.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace wsf::front {
namespace {

using std::chrono::milliseconds;

class BrokerTest : public testing::Test {
 protected:
  using Ticket = std::shared_ptr<Broker::Ticket>;

  BrokerTest() {
    v1::ToGateway message;
    message.mutable_snapshot();
    broker_.OnMessage(message);
    for (const char* name : {"f", "g"}) Route(name);
    message.mutable_in_sync();
    broker_.OnMessage(message);
  }

  void Route(const std::string& name) {
    v1::ToGateway message;
    SetName(name, message.mutable_route()->mutable_function());
    message.mutable_route()->set_init_timeout_seconds(60);
    broker_.OnMessage(message);
  }

  static void SetName(const std::string& name, v1::FunctionName* function) {
    function->set_namespace_("ns");
    function->set_name(name);
  }

  void Free(const std::string& uid, const std::string& function, const std::string& home = "") {
    v1::ToGateway message;
    message.mutable_free()->set_pod_uid(uid);
    SetName(function, message.mutable_free()->mutable_function());
    message.mutable_free()->set_slots(1);
    message.mutable_free()->set_home(home);
    broker_.OnMessage(message);
  }

  void Ack(const std::string& uid, const std::string& request_id) {
    v1::ToGateway message;
    message.mutable_ack()->set_pod_uid(uid);
    message.mutable_ack()->set_request_id(request_id);
    broker_.OnMessage(message);
  }

  Ticket Come(const std::string& id, const std::string& function = "f") {
    auto ticket = std::make_shared<Broker::Ticket>(io_);
    ticket->request_id = id;
    ticket->function_key = "ns/" + function;
    ticket->since = ++clock_;
    Acquire(ticket);
    return ticket;
  }

  void Acquire(const Ticket& ticket) {
    net::Spawn(io_.get_executor(), broker_.Acquire(ticket, ""));
    Turn();
  }

  void Turn() {
    io_.restart();
    io_.poll();
  }

  static std::string Got(const Ticket& ticket) {
    return ticket->instance ? ticket->instance->pod_uid() : "";
  }

  boost::asio::io_context io_;
  std::vector<v1::FromGateway> said_;
  Broker broker_{io_, {"here", "", 10, std::chrono::seconds(60)}, [this](v1::FromGateway message) {
                   said_.push_back(std::move(message));
                 }};
  std::int64_t clock_ = 0;
};

TEST_F(BrokerTest, D31_house_M12_H30_WhoLosesARaceIsServedBeforeThoseWhoCameLater) {
  Free("taken by another gateway", "f");
  const Ticket first = Come("1");
  EXPECT_EQ(Got(first), "taken by another gateway");
  const Ticket second = Come("2");
  broker_.NotTaken("taken by another gateway", "1", v1::NotTaken::BUSY);
  Acquire(first);
  Free("p1", "f");
  Turn();
  EXPECT_EQ(Got(first), "p1");
  EXPECT_EQ(Got(second), "");
  Free("p2", "f");
  Turn();
  EXPECT_EQ(Got(second), "p2");
}

TEST_F(BrokerTest, D31_house_M12_H15_ATryAgainGivesNoNewTime) {
  const Ticket ticket = Come("1");
  Free("p1", "f");
  Turn();
  broker_.NotTaken("p1", "1", v1::NotTaken::BUSY);
  ticket->start -= std::chrono::seconds(61);  // so long it has tried already
  Acquire(ticket);
  ASSERT_TRUE(ticket->refusal);
  EXPECT_EQ(ticket->refusal->http_status, 504);
}

TEST_F(BrokerTest, D31_H02_ATryAgainOfAFunctionThatHasGoneIsToldSo) {
  const Ticket ticket = Come("1");
  Free("p1", "f");
  Turn();
  broker_.NotTaken("p1", "1", v1::NotTaken::CLOSED);
  v1::ToGateway gone;
  SetName("f", gone.mutable_route_gone()->mutable_function());
  broker_.OnMessage(gone);
  Acquire(ticket);
  ASSERT_TRUE(ticket->refusal);
  EXPECT_EQ(ticket->refusal->http_status, 404);
}

// The instance of g is told later and has its chance later: that must not move the chance of f.
TEST_F(BrokerTest, D48_house_L5_EachFunctionHasItsChanceInTime) {
  const Ticket f = Come("1", "f");
  const Ticket g = Come("2", "g");
  Free("pf", "f", "another gateway");
  const auto f_from = std::chrono::steady_clock::now() + milliseconds(20);
  Turn();
  EXPECT_EQ(Got(f), "") << "its home has a head start";
  std::this_thread::sleep_until(f_from - milliseconds(5));
  Free("pg", "g", "another gateway");
  std::this_thread::sleep_until(f_from + milliseconds(1));
  Turn();  // with one timer, which g has moved, nothing is due yet
  EXPECT_EQ(Got(f), "pf");
}

// H26: tried again on another instance, a handshake has two ends.
TEST_F(BrokerTest, D49_house_M9_TheEndsOfOneHandshakeAreKeptEachByItsInstance) {
  v1::Free first, second;
  first.set_pod_uid("p1");
  second.set_pod_uid("p2");
  broker_.Taken(first, "r", "");
  broker_.SessionEnded("p1", "r", v1::SessionEnded::LOST_SIDE_TO_SERVER, 0);
  broker_.Taken(second, "r", "");
  broker_.SessionEnded("p2", "r", v1::SessionEnded::LOST_SIDE_TO_CLIENT, 5);
  Ack("p1", "r");
  said_.clear();
  broker_.OnOpen();  // a new operator is told what nobody has acknowledged
  std::vector<std::string> ended;
  for (const auto& each : said_) {
    if (each.has_ended()) ended.push_back(each.ended().pod_uid());
  }
  EXPECT_EQ(ended, std::vector<std::string>{"p2"});
}

}  // namespace
}  // namespace wsf::front
