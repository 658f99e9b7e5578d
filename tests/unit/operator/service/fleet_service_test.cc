// SPDX-License-Identifier: Apache-2.0
#include "operator/service/fleet_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace wsf::service {
namespace {

constexpr auto kLong = absl::Seconds(60);

class Handler final : public FleetHandler {
 public:
  void OnMessage(std::shared_ptr<GatewayLink> link, v1::FromGateway) override {
    link_ = std::move(link);
    attached_.Notify();
  }
  void OnDetach(std::shared_ptr<GatewayLink>) override { detached_.Notify(); }

  std::shared_ptr<GatewayLink> link_;
  absl::Notification attached_;
  absl::Notification detached_;
};

TEST(FleetService, house_M17_a_gateway_that_reads_nothing_is_cut_at_the_bound) {
  Handler handler;
  Leader leader;
  leader.SetHere();
  FleetService service(&handler, &leader, 0);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::FleetService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->Attach(&context);
  v1::FromGateway hello;
  hello.mutable_hello()->set_gateway("g");
  ASSERT_TRUE(stream->Write(hello));
  ASSERT_TRUE(handler.attached_.WaitForNotificationWithTimeout(kLong));

  v1::ToGateway message;
  message.mutable_in_sync();
  handler.link_->Send(message);
  message.mutable_withdraw()->set_pod_uid(std::string(100, 'u'));
  for (std::size_t i = 0; i < 2 * GatewayLink::kMaxQueued; ++i) handler.link_->Send(message);
  EXPECT_TRUE(handler.detached_.WaitForNotificationWithTimeout(kLong));
  context.TryCancel();
  server->Shutdown();
}

}  // namespace
}  // namespace wsf::service
