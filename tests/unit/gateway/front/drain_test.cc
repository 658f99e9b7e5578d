// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/drain.h"

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "gateway/tunnel/tunnel.h"

namespace wsf::front {
namespace {

using boost::asio::ip::tcp;

std::pair<tcp::socket, tcp::socket> Connected(boost::asio::io_context& io) {
  tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  tcp::socket near(io);
  near.connect(acceptor.local_endpoint());
  return {std::move(near), acceptor.accept()};
}

// Its session is over for the ledger at the client's FIN; what the server says then is on its way.
TEST(Drain, house_M5_P20_a_tunnel_that_is_still_open_is_waited_for) {
  boost::asio::io_context io;
  Broker broker(io, {}, [](v1::FromGateway) {});
  bool over = false;
  Drain drain(io, broker, [&] { over = true; });
  auto [client, client_side] = Connected(io);
  auto [sidecar, sidecar_side] = Connected(io);
  bool ended = false;
  tunnel::ReadBuffer buffer;
  {
    net::Connection connection(std::move(client_side));
    connection.Add(broker.OpenTunnel());
    std::make_shared<tunnel::Tunnel>(std::move(connection), std::move(sidecar_side), &buffer,
                                     [&](tunnel::Tunnel::Lost) { ended = true; })
        ->Start("");
  }
  client.shutdown(tcp::socket::shutdown_send);
  while (!ended) io.run_one();
  drain.Begin({});
  io.poll();
  EXPECT_FALSE(over);

  boost::asio::write(sidecar, boost::asio::buffer("last", 4));
  sidecar.close();
  io.run();
  EXPECT_TRUE(over);
  EXPECT_TRUE(broker.is_empty());
  std::string got(5, ' ');
  boost::system::error_code error;
  got.resize(boost::asio::read(client, boost::asio::buffer(got), error));
  EXPECT_EQ(got, "last");
  EXPECT_EQ(error, boost::asio::error::eof);
}

TEST(Drain, P20_it_leaves_for_a_while_before_it_drains) {
  boost::asio::io_context io;
  Broker broker(io, {}, [](v1::FromGateway) {});
  bool over = false;
  Drain drain(io, broker, [&] { over = true; });
  EXPECT_FALSE(drain.is_leaving());
  drain.Begin({std::chrono::milliseconds(1), Duration::zero()});
  EXPECT_TRUE(drain.is_leaving());
  EXPECT_FALSE(drain.is_draining()) << "whom load balancers still send is served";
  io.run();
  EXPECT_TRUE(drain.is_draining());
  EXPECT_TRUE(over);
}

TEST(Drain, P20_a_second_signal_ends_both_times) {
  boost::asio::io_context io;
  Broker broker(io, {}, [](v1::FromGateway) {});
  bool over = false;
  Drain drain(io, broker, [&] { over = true; });
  drain.Begin({std::chrono::hours(1), std::chrono::hours(1)});
  drain.Begin({std::chrono::hours(1), std::chrono::hours(1)});
  EXPECT_TRUE(drain.is_draining());
  io.poll();
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace wsf::front
