// SPDX-License-Identifier: Apache-2.0
#include "sidecar/report/totals.h"

namespace wsf::report {

void Totals::Established(TimePoint now) {
  if (live_++ == 0) live_since_ = now;
  message_.set_established(message_.established() + 1);
}

void Totals::End(int status_code, Was was, TimePoint now) {
  --open_;
  ++(*message_.mutable_sessions_by_code())[status_code];
  if (was == Was::kEstablished && --live_ == 0) billed_ += now - live_since_;
}

v1::InstanceTotals Totals::Billed(Duration billed) const {
  v1::InstanceTotals message = message_;
  message.set_billed_ms(std::chrono::duration_cast<std::chrono::milliseconds>(billed).count());
  message.set_open(open_);
  return message;
}

v1::InstanceTotals Totals::Closed() const { return Billed(billed_); }

v1::InstanceTotals Totals::At(TimePoint now) const {
  return Billed(live_ > 0 ? billed_ + (now - live_since_) : billed_);
}

}  // namespace wsf::report
