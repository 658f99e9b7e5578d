// SPDX-License-Identifier: Apache-2.0
#include "common/record/reader.h"

#include <gtest/gtest.h>

#include "common/base/time.h"
#include "common/record/record.h"
#include "common/record/step.h"

namespace wsf {
namespace {

// Its sums with what we know would be no numbers any more.
TEST(RecordReader, D34_AForgedTimeIsNone) {
  for (const char* odd : {"infinite-past", "infinite-future", "-9999-01-01T00:00:00Z",
                          "99999-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "", "now"}) {
    EXPECT_EQ(ParseRfc3339(odd), 0) << odd;
    const Remains remains = ReadTerminationMessage(
        std::string(R"({"totals": {}, "open": [], "liveSince": ")") + odd + "\"}",
        1'700'000'000'000'000);
    ASSERT_TRUE(remains.totals);
    EXPECT_EQ(remains.totals->billed_ms(), 0) << odd;
  }
  EXPECT_EQ(ParseRfc3339("9999-12-31T23:59:59.999999Z"), 253'402'300'799'999'999);
}

TEST(RecordReader, S3_20_P18_EveryStepIsReadAsItWasWritten) {
  const auto read = [](const std::string& text) { return ReadTerminationMessage(text, 9'000'000); };
  v1::SessionRecord record = read(OpenJson("id", 1'000'000, 0)).records.at(0);
  EXPECT_EQ(record.duration_ms(), 8000);
  EXPECT_EQ(record.established(), 0);
  record = read(OpenJson("id", 1'000'000, 2'000'000)).records.at(0);
  EXPECT_EQ(record.request_id(), "id");
  EXPECT_EQ(record.billed_ms(), 7000);
  EXPECT_EQ(record.status_code(), 500);

  v1::InstanceTotals totals;
  (*totals.mutable_sessions_by_code())[200] = 2;
  totals.set_established(2);
  totals.set_billed_ms(15);
  const std::string open = "01918a94-db76-7000-8000-000000000000";
  const Remains remains = read(SharedJson(totals, 8'000'000, {open, "odd"}));
  ASSERT_EQ(remains.records.size(), 2u);
  EXPECT_EQ(remains.records[0].request_id(), open);
  EXPECT_EQ(remains.records[1].request_id(), "odd");
  EXPECT_EQ(remains.totals->billed_ms(), 1015) << "until the end";
  EXPECT_EQ(remains.totals->sessions_by_code().at(200), 2);
  EXPECT_EQ(remains.totals->sessions_by_code().at(500), 2);
}

TEST(RecordReader, ARecordIsReadAsItWasWritten) {
  v1::SessionRecord record;
  record.set_request_id("01918a94-db76-7000-8000-000000000000");
  record.set_request_start(1'700'000'000'123'456);
  record.set_established(1'700'000'001'123'456);
  record.set_ended(1'700'000'002'123'456);
  record.set_init_ms(1);
  record.set_duration_ms(2);
  record.set_billed_ms(3);
  record.set_status_code(456);
  record.set_status("failure");
  record.set_reason("ClosedByClient");
  record.set_message("\"quoted\" \xe2\x82\xac\t");
  record.set_closed_by("client");
  record.set_close_code(4001);
  record.set_close_reason("why");
  record.set_close_handshake("complete");
  record.set_http_status(101);
  record.set_subprotocol("p");
  record.set_extensions("e; a=b");
  for (v1::Traffic* each : {record.mutable_to_server(), record.mutable_to_client()}) {
    each->set_messages(4);
    each->set_bytes(5);
    each->set_control_frames(6);
  }
  record.set_throttled_ms(7);
  const auto read = ReadTerminationMessage(RecordJson(record) + "   ", 0).records.at(0);
  EXPECT_EQ(read.SerializeAsString(), record.SerializeAsString());
}

}  // namespace
}  // namespace wsf
