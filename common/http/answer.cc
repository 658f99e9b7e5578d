// SPDX-License-Identifier: Apache-2.0
#include "common/http/answer.h"

#include "absl/strings/str_cat.h"
#include "common/http/head.h"
#include "common/http/refusal.h"

namespace wsf::http {

std::string WholeAnswer(int status, std::string_view content_type, std::string_view body) {
  AnswerHead head;
  head.status = status;
  head.reason = std::string(StatusPhrase(status));
  head.fields.Add("Content-Type", content_type);
  head.fields.Add("Content-Length", absl::StrCat(body.size()));
  head.fields.Add("Connection", "close");
  return Write(head).append(body);
}

}  // namespace wsf::http
