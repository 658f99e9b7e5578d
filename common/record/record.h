// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "wsf/v1/record.pb.h"

namespace wsf {

/// The JSON form of a record (behaviour.md section 8): one line, names in lowerCamelCase, absent
/// fields left out. Free texts (message, closeReason, subprotocol, extensions) are cut at 256
/// bytes, and where their escaped form is longer than 512 bytes, so that the whole of a relay's
/// record stays below 3,500 bytes: a kubelet cuts a termination message at 4,096.
std::string RecordJson(const v1::SessionRecord& record);

}  // namespace wsf
