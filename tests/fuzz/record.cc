// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "common/record/reader.h"
#include "tests/fuzz/fuzz.h"

// A termination message is what the user's pod left behind: nothing in it may hurt the operator.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)wsf::ReadTerminationMessage(std::string(Text(data, size)), 1);
  return 0;
}
