// SPDX-License-Identifier: Apache-2.0
#include "common/net/sidecar_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/descriptors.h"

namespace wsf::net {
namespace {

using boost::asio::ip::tcp;

/// Whoever listens at a sidecar's address; its end of the one connection.
class SidecarClientTest : public testing::Test {
 protected:
  void Ask() {
    const auto port = listener_.local_endpoint().port();
    AskSidecar(io_, {absl::StrCat("127.0.0.1:", port), "token", "state", "", ""},
               [this](ControlAnswer answer) { answer_ = std::move(answer); });
  }
  void Send(const std::string& text) { boost::asio::write(peer_, boost::asio::buffer(text)); }

  boost::asio::io_context io_;
  boost::asio::io_context others_;
  tcp::acceptor listener_{others_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  tcp::socket peer_{others_};
  std::optional<ControlAnswer> answer_;
};

TEST_F(SidecarClientTest, AnAnswerIsItsStatusAndItsBody) {
  Ask();
  std::thread sidecar([this] {
    listener_.accept(peer_);
    Send("HTTP/1.1 200 OK\r\n\r\nfree");
    peer_.shutdown(tcp::socket::shutdown_both);
  });
  io_.run();
  sidecar.join();
  EXPECT_EQ(answer_.value().http_status, 200);
  EXPECT_EQ(answer_->body, "free");
}

TEST_F(SidecarClientTest, D08_AnAnswerWithoutEndIsNone) {
  Ask();
  std::thread stranger([this] {
    listener_.accept(peer_);
    Send("HTTP/1.1 200 OK\r\n\r\n");
    boost::system::error_code error;
    const std::string text(1024, 'x');
    while (!error) boost::asio::write(peer_, boost::asio::buffer(text), error);
  });
  io_.run();
  stranger.join();  // it was hung up on
  EXPECT_EQ(answer_.value().http_status, 0);
}

// Both are ready in one turn of the loop: what the deadline touches must not have ended with the
// coroutine (under ASan this ended the process).
TEST_F(SidecarClientTest, D08_AnEndThatComesWithTheDeadlineTouchesNothingThatHasGone) {
  Ask();
  const auto due = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  io_.poll();  // connects: the listener's backlog takes it
  listener_.accept(peer_);
  while (peer_.available() == 0) io_.poll();  // the request is sent, its answer waited for
  Send("HTTP/1.1 200 OK\r\n\r\nfree");
  while (io_.poll() == 0) {
  }  // it is read: only the end is left to come
  peer_.shutdown(tcp::socket::shutdown_both);
  std::this_thread::sleep_until(due + std::chrono::milliseconds(10));
  io_.run();
  EXPECT_EQ(answer_.value().http_status, 200);
}

// What ended the operator seconds after two hundred sessions: answers, ends and deadlines of many
// asks that come together.
TEST(SidecarClients, D08_OfTwoThousandAtOnceEachIsAnsweredOnce) {
  constexpr int kAsks = 2000;
  RaiseDescriptorLimit();
  boost::asio::io_context io;
  boost::asio::io_context others;
  tcp::acceptor listener(others);
  const tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
  listener.open(any.protocol());
  listener.bind(any);
  listener.listen(kAsks);
  const std::string address = absl::StrCat("127.0.0.1:", listener.local_endpoint().port());
  std::vector<int> answers(kAsks);
  for (int i = 0; i < kAsks; ++i) {
    AskSidecar(io, {address, "token", "state", "", ""},
               [&answers, i](const ControlAnswer&) { ++answers[static_cast<std::size_t>(i)]; });
  }
  const auto due = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  listener.non_blocking(true);
  std::thread sidecars([&] {
    std::vector<tcp::socket> peers;
    boost::system::error_code ignored;
    while (peers.size() < kAsks && std::chrono::steady_clock::now() < due) {
      tcp::socket peer(others);
      if (listener.accept(peer, ignored)) continue;  // nobody is there now
      peers.push_back(std::move(peer));
      boost::asio::write(peers.back(), boost::asio::buffer("HTTP/1.1 200 OK\r\n\r\nfree", 23),
                         ignored);
    }
    std::this_thread::sleep_until(due);
    for (std::size_t i = 0; i < peers.size(); i += 2) peers[i].close(ignored);
  });
  io.run();
  sidecars.join();
  EXPECT_EQ(std::ranges::count(answers, 1), kAsks);
}

}  // namespace
}  // namespace wsf::net
