// SPDX-License-Identifier: Apache-2.0
#include "operator/service/self_check.h"

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <utility>

namespace wsf::service {
namespace {

constexpr char kNoMethod[] = "/wsf.v1.SelfCheck/Nothing";
constexpr auto kTime = std::chrono::seconds(2);

// What the call needs for as long as it lasts.
struct Call {
  explicit Call(const std::shared_ptr<grpc::Channel>& a_channel)
      : channel(a_channel), stub(channel), request(&nothing, 1) {}

  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::Slice nothing;  // gRPC ends the process over a buffer without any
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

}  // namespace

void AskForNothing(std::shared_ptr<grpc::Channel> channel, std::function<void(bool)> done) {
  const auto call = std::make_shared<Call>(std::move(channel));
  call->context.set_deadline(std::chrono::system_clock::now() + kTime);
  call->stub.UnaryCall(&call->context, kNoMethod, grpc::StubOptions(), &call->request,
                       &call->response, [call, done = std::move(done)](const grpc::Status& status) {
                         done(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
                       });
}

}  // namespace wsf::service
