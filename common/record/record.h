// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "wsf/v1/record.pb.h"

namespace wsf {

/// The JSON form of a record (behaviour.md section 8): one line, names in lowerCamelCase, absent
/// fields left out. Free texts (closeReason, subprotocol, extensions) are cut at 256 bytes, so the
/// whole stays within the 4,096 bytes of a termination message.
std::string RecordJson(const v1::SessionRecord& record);

}  // namespace wsf
