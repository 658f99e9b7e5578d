// SPDX-License-Identifier: Apache-2.0
#include "common/websocket/close.h"

#include <gtest/gtest.h>

namespace wsf::websocket {
namespace {

TEST(CloseCodes, S0_22_AreThoseOfRfc6455AndItsRegistry) {
  for (const int valid : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                          3000, 3999, 4000, 4999}) {
    EXPECT_TRUE(IsValidCloseCode(static_cast<std::uint16_t>(valid))) << valid;
  }
  for (const int invalid :
       {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535}) {
    EXPECT_FALSE(IsValidCloseCode(static_cast<std::uint16_t>(invalid))) << invalid;
  }
}

TEST(ParseClose, E07_AnEmptyBodyIs1005) { EXPECT_EQ(ParseClose(""), (Close{1005, ""})); }

TEST(ParseClose, E08_RefusesOneByteABadCodeAndABadReason) {
  EXPECT_EQ(ParseClose("\x03"), std::nullopt);
  EXPECT_EQ(ParseClose("\x03\xed"), std::nullopt);  // 1005
  EXPECT_EQ(ParseClose("\x03\xe8\xc3\x28"), std::nullopt);
  EXPECT_EQ(ParseClose("\x03\xe8\xed\xa0\x80"), std::nullopt);  // a surrogate
  EXPECT_EQ(ParseClose("\x03\xe8\xc3\xa9"), (Close{1000, "\xc3\xa9"}));
}

TEST(CloseFrame, IsMaskedTowardsTheServerOnly) {
  EXPECT_EQ(CloseFrame(1001, "x", Mask::kUnmasked), std::string("\x88\x03\x03\xe9x"));
  const std::string masked = CloseFrame(1001, "x", Mask::kMasked);
  ASSERT_EQ(masked.size(), 9u);
  EXPECT_EQ(static_cast<unsigned char>(masked[1]), 0x83);
  EXPECT_EQ(masked[6] ^ masked[2], 0x03);
  EXPECT_EQ(masked[8] ^ masked[4], 'x');
}

}  // namespace
}  // namespace wsf::websocket
