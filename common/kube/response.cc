// SPDX-License-Identifier: Apache-2.0
#include "common/json/read.h"
#include "common/kube/client.h"

namespace wsf::kube {

std::string Response::Message() const {
  if (body.is_object() && body.contains("message")) return json::Text(body, "message");
  return error.empty() ? absl::StrCat("HTTP ", status) : error;
}

}  // namespace wsf::kube
