// SPDX-License-Identifier: Apache-2.0
#include "common/record/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/text.h"

namespace wsf {
namespace {

// All that a relay fills in, each as long as it can be; `text` is what peers choose.
v1::SessionRecord Longest(const std::string& text) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  v1::SessionRecord record;
  record.set_request_id("01918a94-db76-7000-8000-000000000000");
  record.set_request_start(253'402'300'799'999'999);
  record.set_established(253'402'300'799'999'999);
  record.set_ended(253'402'300'799'999'999);
  record.set_init_ms(kMost);
  record.set_duration_ms(kMost);
  record.set_billed_ms(kMost);
  record.set_status_code(456);
  record.set_status("failure");
  record.set_reason("ServerConnectionLost");
  record.set_message(text);
  record.set_closed_by("platform");
  record.set_close_code(4999);
  record.set_close_reason(text);
  record.set_close_handshake("complete");
  record.set_http_status(101);
  record.set_subprotocol(text);
  record.set_extensions(text);
  for (v1::Traffic* each : {record.mutable_to_server(), record.mutable_to_client()}) {
    each->set_messages(kMost);
    each->set_bytes(kMost);
    each->set_control_frames(kMost);
  }
  record.set_throttled_ms(kMost);
  return record;
}

std::string Repeat(const std::string& text, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += text;
  return all;
}

TEST(Record, D33_WhateverPeersChooseARecordFitsATerminationMessage) {
  for (const char* worst : {"\t", "\x01", "\"", "\\", "\x7f", "\xff", "x", "\xe2\x82\xac"}) {
    const std::string json = RecordJson(Longest(Repeat(worst, 5000)));
    EXPECT_LE(json.size(), 3500u) << JsonText(worst);
    EXPECT_NO_THROW(nlohmann::json::parse(json)) << json;
  }
}

TEST(Record, D33_ATextIsCutBetweenCharacters) {
  const auto reason = [](const std::string& text) {
    v1::SessionRecord record;
    record.set_close_reason(text);
    return nlohmann::json::parse(RecordJson(record))["closeReason"].get<std::string>();
  };
  const std::string euro = "\xe2\x82\xac";
  EXPECT_EQ(reason("x" + Repeat(euro, 300)), "x" + Repeat(euro, 255));
  EXPECT_EQ(reason(Repeat("\t", 300)), Repeat("\t", JsonText("\t").size() == 4 ? 256 : 85));
  EXPECT_EQ(reason("short"), "short");
}

}  // namespace
}  // namespace wsf
