// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wsf::http {

/// A whole answer with a body of `content_type`, after which the connection ends.
std::string WholeAnswer(int status, std::string_view content_type, std::string_view body);

}  // namespace wsf::http
