// SPDX-License-Identifier: Apache-2.0
//
// wsf-report: makes one call to the operator for wsf-sidecar. A serialized Report comes on standard
// input, the serialized response goes to standard output, the verdict is the exit status
// (reporter.h). Certificates come as PEM in the environment: WSF_OPERATOR_CA, WSF_RELAY_CERT,
// WSF_RELAY_KEY; the pod's token is read from its file for each report, since it rotates.

#include <getopt.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "sidecar/report/reporter.h"
#include "wsf/v1/instance.grpc.pb.h"

namespace {

using wsf::report::kExitAcknowledged;
using wsf::report::kExitRefused;
using wsf::report::kExitTryAgain;
using wsf::report::kExitUsage;

constexpr auto kDeadline = std::chrono::seconds(5);
// The name in the operator's certificate, whatever address it is dialled by (contracts.md).
constexpr char kOperatorName[] = "wsf-operator";
// A follower names the leader here; it is dialled once.
constexpr char kLeaderTrailer[] = "wsf-leader";

struct Flags {
  std::string operator_address;
  std::string token_file;
};

bool ParseFlags(int argc, char** argv, Flags* flags) {
  const option options[] = {{"operator", required_argument, nullptr, 'o'},
                            {"token-file", required_argument, nullptr, 't'},
                            {nullptr, 0, nullptr, 0}};
  for (int c; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (c == 'o') flags->operator_address = optarg;
    if (c == 't') flags->token_file = optarg;
    if (c == '?') return false;
  }
  return !flags->operator_address.empty();
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ReadToken(const std::string& path) {
  std::ifstream file(path);
  std::string token((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  return token;
}

std::shared_ptr<grpc::Channel> Dial(const std::string& address) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = Environment("WSF_OPERATOR_CA");
  tls.pem_cert_chain = Environment("WSF_RELAY_CERT");
  tls.pem_private_key = Environment("WSF_RELAY_KEY");
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kOperatorName);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetServiceConfigJSON("{}");
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

template <typename Request, typename Response, typename Method>
grpc::Status Call(const std::string& address, const std::string& token, Method method,
                  const Request& request, std::string* output, std::string* leader) {
  const auto stub = wsf::v1::InstanceService::NewStub(Dial(address));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  context.AddMetadata("authorization", "Bearer " + token);
  Response response;
  const grpc::Status status = ((*stub).*method)(&context, request, &response);
  response.SerializeToString(output);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(kLeaderTrailer);
  if (found != trailers.end()) leader->assign(found->second.data(), found->second.size());
  return status;
}

grpc::Status CallOnce(const wsf::v1::Report& report, const std::string& address,
                      const std::string& token, std::string* output, std::string* leader) {
  using Stub = wsf::v1::InstanceService::Stub;
  if (report.has_listening()) {
    return Call<wsf::v1::ListeningRequest, wsf::v1::ListeningResponse>(
        address, token, &Stub::Listening, report.listening(), output, leader);
  }
  return Call<wsf::v1::EndedRequest, wsf::v1::EndedResponse>(address, token, &Stub::Ended,
                                                             report.ended(), output, leader);
}

int ExitOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK: return kExitAcknowledged;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED: return kExitRefused;
    default: return kExitTryAgain;
  }
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) {
    std::fputs("usage: wsf-report --operator=IP:PORT --token-file=FILE < report\n", stderr);
    return kExitUsage;
  }
  const std::string input((std::istreambuf_iterator<char>(std::cin)),
                          std::istreambuf_iterator<char>());
  wsf::v1::Report report;
  if (!report.ParseFromString(input) || report.call_case() == wsf::v1::Report::CALL_NOT_SET) {
    std::fputs("wsf-report: standard input holds no Report\n", stderr);
    return kExitUsage;
  }
  const std::string token = ReadToken(flags.token_file);
  std::string output;
  std::string leader;
  grpc::Status status = CallOnce(report, flags.operator_address, token, &output, &leader);
  if (!status.ok() && !leader.empty()) {
    status = CallOnce(report, leader, token, &output, &leader);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "wsf-report: %s\n", status.error_message().c_str());
  } else {
    std::fwrite(output.data(), 1, output.size(), stdout);
  }
  std::fflush(stdout);
  std::_Exit(ExitOf(status));  // gRPC's orderly shutdown would cost milliseconds for nothing
}
