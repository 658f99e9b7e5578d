// SPDX-License-Identifier: Apache-2.0
#include "common/http/refusal.h"

#include <boost/beast/http/status.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "common/http/head.h"

namespace wsf::http {
namespace {

Refusal Make(int http_status, int code, Reason reason, std::string_view message,
             int retry_after_seconds = 0) {
  return {http_status, code, std::string(ReasonName(reason)), std::string(message),
          retry_after_seconds};
}

}  // namespace

std::string FullMessage(const Refusal& refusal) {
  if (refusal.detail.empty()) return refusal.message;
  return absl::StrCat(refusal.message, ": ", refusal.detail);
}

Refusal NotAnUpgrade() {
  return Make(426, 0, Reason::kUpgradeRequired,
              "this address serves WebSocket connections only; open it with a ws:// or wss:// URL");
}

Refusal UnknownFunction() {
  return Make(404, 435, Reason::kFunctionNotFound,
              "no function is served at this address; the path is /<namespace>/<name>");
}

Refusal HeadTooLarge() {
  return Make(431, 0, Reason::kHeaderTooLarge,
              "the request head is over 15 KiB or has more than 100 fields");
}

Refusal HeadTooSlow() {
  return Make(408, 0, Reason::kBadRequest, "the request head did not arrive in time");
}

Refusal TlsFailed(std::string_view what) { return Make(0, 0, Reason::kTlsFailed, what); }

Refusal UnreadHead(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return HeadTooLarge();
  if (absl::IsDeadlineExceeded(status)) return HeadTooSlow();
  return BadRequest(400, std::string(status.message()));
}

Refusal OriginNotAllowed() {
  return Make(403, 0, Reason::kOriginNotAllowed,
              "pages of this origin may not connect; the function lists those that may");
}

Refusal BadRequest(int http_status, std::string_view what) {
  return Make(http_status, 0, Reason::kBadRequest, what);
}

Refusal WaitingQueueFull() {
  return Make(503, 432, Reason::kResourceLimitReached,
              "too many connections already wait for an instance of this function", 5);
}

Refusal ServerBroken(std::string_view what) {
  return Make(502, 443, Reason::kUserCodeError,
              absl::StrCat("the function's server gave no valid answer to the handshake: ",
                           absl::string_view(what.data(), what.size())));
}

Refusal ServerExited() {
  return Make(502, 439, Reason::kUserProcessExited,
              "the function's server exited during the handshake");
}

Refusal HandshakeTimedOut() {
  return Make(504, 433, Reason::kHandshakeTimeout,
              "the function's server did not answer the handshake in time");
}

Refusal InstanceLost() {
  return Make(502, 500, Reason::kInternalError, "the instance was lost during the handshake");
}

Refusal NoOperator() {
  return Make(503, 500, Reason::kInternalError,
              "no instance is free and the platform cannot start one now", 5);
}

Refusal GatewayDraining() {
  return Make(503, 500, Reason::kInternalError, "this gateway is stopping; connect again", 1);
}

Refusal Stopped(int code, Reason reason) {
  std::string_view message = "the function is being stopped; connect again later";
  if (reason == Reason::kGatewayShutdown) message = "this gateway is stopping; connect again";
  if (reason == Reason::kRevisionRetired) message = "the function has changed; connect again";
  return Make(503, code, reason, message, 1);
}

Refusal GatewayFull() {
  return Make(503, 500, Reason::kInternalError,
              "this gateway serves as many connections as it can; connect again later", 5);
}

Refusal WaitedTooLong() {
  return Make(504, 499, Reason::kRequestCanceled,
              "no instance became free in time; it goes on starting, so connect again", 1);
}

std::string RefusalAnswer(const Refusal& refusal, std::string_view request_id) {
  std::string body = absl::StrCat("{\"errorCode\":-1,\"errorMessage\":", JsonText(refusal.message),
                                  ",\"requestId\":", JsonText(request_id),
                                  ",\"statusCode\":", refusal.code, "}\n");
  AnswerHead head{refusal.http_status, std::string(StatusPhrase(refusal.http_status)), 11, {}};
  head.fields.Add("Content-Type", "application/json");
  head.fields.Add("Content-Length", absl::StrCat(body.size()));
  head.fields.Add("Connection", refusal.http_status == 426 ? "close, upgrade" : "close");
  if (refusal.http_status == 426) head.fields.Add("Upgrade", "websocket");
  if (refusal.code != 0) head.fields.Add("X-Wsf-Status-Code", absl::StrCat(refusal.code));
  head.fields.Add("X-Wsf-Reason", refusal.reason);
  if (!request_id.empty()) head.fields.Add("X-Wsf-Request-Id", request_id);
  if (refusal.retry_after_seconds > 0) {
    head.fields.Add("Retry-After", absl::StrCat(refusal.retry_after_seconds));
  }
  return Write(head) + body;
}

std::string_view StatusPhrase(int http_status) {
  const auto phrase =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(http_status));
  return {phrase.data(), phrase.size()};
}

}  // namespace wsf::http
