// SPDX-License-Identifier: Apache-2.0
#include "sidecar/slot/answers.h"

#include "absl/strings/str_cat.h"
#include "common/http/head.h"
#include "common/http/refusal.h"

namespace wsf::slot {

std::string SidecarAnswer(int status, std::string_view name, std::string_view body) {
  http::AnswerHead head;
  head.status = status;
  head.reason = std::string(http::StatusPhrase(status));
  head.fields.Add("X-Wsf-Sidecar", name);
  if (status != 102) {
    head.fields.Add("Content-Length", absl::StrCat(body.size()));
    head.fields.Add("Connection", "close");
  }
  return http::Write(head) + std::string(body);
}

std::string RefusedAnswer(Slot::Answer answer) {
  const int status = answer == Slot::Answer::kDenied ? 403 : 503;
  return SidecarAnswer(status, AnswerName(answer), "");
}

}  // namespace wsf::slot
