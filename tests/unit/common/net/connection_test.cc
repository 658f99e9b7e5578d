// SPDX-License-Identifier: Apache-2.0
#include "common/net/connection.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace wsf::net {
namespace {

using boost::asio::ip::tcp;

// As TLS is one: it knows a descriptor by its number.
class Counted final : public Layer {
 public:
  explicit Counted(int* calls) : calls_(calls) {}
  ssize_t Read(char*, std::size_t) override { return ++*calls_; }
  ssize_t Write(std::string_view bytes) override {
    ++*calls_;
    return static_cast<ssize_t>(bytes.size());
  }
  bool pending() const override { return true; }
  void Finish() override { ++*calls_; }

 private:
  int* const calls_;
};

// The number may be another connection's by then, which would be sent what is not for it.
TEST(Connection, once_closed_its_layer_touches_the_descriptor_no_more) {
  boost::asio::io_context io;
  int calls = 0;
  Connection connection{tcp::socket(io, tcp::v4())};
  connection.Put(std::make_unique<Counted>(&calls));
  EXPECT_EQ(connection.Write("abc"), 3);
  EXPECT_EQ(calls, 1);
  connection.Close();
  char buffer[8];
  EXPECT_EQ(connection.Write("abc"), -1);
  EXPECT_EQ(connection.Read(buffer, sizeof buffer), 0);
  connection.Finish();
  EXPECT_FALSE(connection.pending());
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace wsf::net
