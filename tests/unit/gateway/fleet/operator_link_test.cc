// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/operator_link.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace wsf::fleet {
namespace {

constexpr auto kLong = absl::Seconds(60);

// An operator that hangs: it takes the stream, and reads nothing of it.
class Deaf final : public v1::FleetService::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway>* Attach(
      grpc::CallbackServerContext*) override {
    struct Reactor final : grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway> {
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    return new Reactor();
  }
};

// What outlives a test: a link is kept up for as long as its process lives.
struct World {
  std::string address;
  std::atomic<int> dials = 0;
  absl::Notification opened;
  absl::Notification lost;
  absl::Notification never;
};

TEST(OperatorLink, house_M17_an_operator_that_reads_nothing_is_left_at_the_bound) {
  Deaf service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  auto* const world = new World();
  world->address = "127.0.0.1:" + std::to_string(port);
  OperatorLink link(
      world->address,
      [world](const std::string& address) {
        if (world->dials++ > 0) world->never.WaitForNotification();
        return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
      },
      [](std::function<void()> work) { work(); },
      {[world] { world->opened.Notify(); }, [](const v1::ToGateway&) {},
       [world] { world->lost.Notify(); }});
  link.Start();
  ASSERT_TRUE(world->opened.WaitForNotificationWithTimeout(kLong));

  v1::FromGateway message;
  message.mutable_in_sync();
  link.Send(message);
  message.mutable_left()->set_request_id(std::string(100, 'r'));
  for (int i = 0; i < 200'000; ++i) link.Send(message);
  EXPECT_TRUE(world->lost.WaitForNotificationWithTimeout(kLong));
  server->Shutdown();
}

}  // namespace
}  // namespace wsf::fleet
