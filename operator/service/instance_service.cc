// SPDX-License-Identifier: Apache-2.0
#include "operator/service/instance_service.h"

#include <string_view>
#include <utility>

namespace wsf::service {
namespace {

std::string BearerToken(const grpc::CallbackServerContext& context) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return "";
  const std::string_view value(found->second.data(), found->second.size());
  if (value.substr(0, kScheme.size()) != kScheme) return "";
  return std::string(value.substr(kScheme.size()));
}

}  // namespace

grpc::ServerUnaryReactor* InstanceService::Listening(grpc::CallbackServerContext* context,
                                                     const v1::ListeningRequest* request,
                                                     v1::ListeningResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (!leader_->here()) {
    reactor->Finish(PointToLeader(*leader_, port_, context));
    return reactor;
  }
  handler_->Listening(BearerToken(*context), *request,
                      [reactor, response](grpc::Status status, v1::ListeningResponse answer) {
                        *response = std::move(answer);
                        reactor->Finish(std::move(status));
                      });
  return reactor;
}

grpc::ServerUnaryReactor* InstanceService::Ended(grpc::CallbackServerContext* context,
                                                 const v1::EndedRequest* request,
                                                 v1::EndedResponse*) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (!leader_->here()) {
    reactor->Finish(PointToLeader(*leader_, port_, context));
    return reactor;
  }
  handler_->Ended(BearerToken(*context), *request,
                  [reactor](grpc::Status status) { reactor->Finish(std::move(status)); });
  return reactor;
}

}  // namespace wsf::service
