// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/account.h"

#include <algorithm>
#include <utility>

#include "common/base/reason.h"
#include "operator/ledger/record_reader.h"

namespace wsf::ledger {
namespace {

using std::chrono::seconds;

// What the runtime says of a container comes with its pod's status, a moment after the end.
constexpr auto kRefineTime = seconds(5);
// A pod that has been deleting for so long beyond its grace has no kubelet that would end it.
constexpr auto kBeyondGrace = seconds(10);
// How long a gateway may take to tell a new operator what it saw.
constexpr auto kViewTime = seconds(15);

std::int64_t CountOf(const v1::InstanceTotals& totals) {
  std::int64_t sum = 0;
  for (const auto& [code, count] : totals.sessions_by_code()) sum += count;
  return sum;
}

// The server's process has gone, and only the runtime knows why (A16, E22).
bool AwaitsExitCode(const v1::SessionRecord& record) {
  return record.status_code() == 439 && record.reason() == ReasonName(Reason::kUserProcessExited);
}

// Ended by SIGTERM, and only the pod's conditions tell an eviction from a wish (P16, P17).
bool AwaitsDisruption(const v1::SessionRecord& record) {
  return record.status_code() == 499 && record.established() != 0 &&
         record.reason() == ReasonName(Reason::kRequestCanceled);
}

}  // namespace

Account::Report Account::OnReport(const v1::SessionRecord& record, const v1::InstanceTotals& totals,
                                  TimePoint now) {
  if (!totals_ || CountOf(totals) > CountOf(*totals_)) totals_ = totals;
  if (totals.open() == 0) reported_all_ = true;
  const auto [found, is_new] = sessions_.try_emplace(record.request_id(), Session{record, now});
  Session& session = found->second;
  if (session.final) return session.reported ? Report::kTaken : Report::kLate;
  // What a sidecar says is better than what was made up without it.
  session.record = record;
  session.reported = true;
  return Report::kTaken;
}

bool Account::Ended(TimePoint now) const {
  if (pod_.ended()) return true;
  return deleting_since_ && now >= *deleting_since_ + seconds(pod_.grace_seconds) + kBeyondGrace;
}

// Once, when the instance has ended: then nothing better will come.
void Account::ReadRemains(TimePoint now) {
  if (remains_read_) return;
  if (!ended_since_) ended_since_ = now;
  // Whoever reads it may come an hour later.
  const std::int64_t end = pod_.relay.finished != 0 ? pod_.relay.finished : UnixMicros();
  Remains remains = ReadTerminationMessage(pod_.relay.message, end);
  const bool silent = sessions_.empty() && remains.records.empty() && !remains.totals;
  // A relay that ended and left an empty message has undone its claim; but after the loss of a node
  // the message is lost too, and a gateway's view is all there is. It may be on its way to us.
  const bool lost = pod_.relay.reason == "ContainerStatusUnknown" || pod_.relay.running;
  if (silent && lost && views_.empty() && now < *ended_since_ + kViewTime) return;
  remains_read_ = true;
  for (v1::SessionRecord& record : remains.records) {
    const std::string id = record.request_id();
    sessions_.try_emplace(id, Session{std::move(record), now});
  }
  if (remains.totals && (!totals_ || CountOf(*remains.totals) > CountOf(*totals_))) {
    totals_ = std::move(remains.totals);
  }
  if (!silent || !lost) return;
  for (const auto& [id, view] : views_) {
    const std::int64_t start = view.established != 0 ? view.established : view.ended;
    sessions_.try_emplace(id,
                          Session{SyntheticRecord(id, start, view.established, view.ended), now});
  }
}

bool Account::MayChange(const Session& session, TimePoint now) const {
  if (now >= session.since + kRefineTime) return false;
  if (AwaitsExitCode(session.record)) return !pod_.server.terminated;
  if (AwaitsDisruption(session.record)) return !pod_.disrupted && !pod_.ended();
  return false;
}

void Account::Refine(v1::SessionRecord* record) const {
  if (AwaitsExitCode(*record) && pod_.server.terminated) {
    record->set_exit_code(pod_.server.exit_code);
    if (pod_.server.reason == "OOMKilled") {
      record->set_status_code(434);
      record->set_reason(std::string(ReasonName(Reason::kMemoryLimitReached)));
    }
  } else if (AwaitsDisruption(*record) && pod_.disrupted) {
    record->set_status_code(500);
    record->set_reason(std::string(ReasonName(Reason::kInternalError)));
  }
}

std::vector<v1::SessionRecord> Account::TakeFinal(TimePoint now) {
  if (Ended(now)) ReadRemains(now);
  std::vector<v1::SessionRecord> taken;
  for (auto& [id, session] : sessions_) {
    if (session.final || MayChange(session, now)) continue;
    Refine(&session.record);
    Complete(pod_, &session.record);
    session.final = true;
    taken.push_back(session.record);
  }
  return taken;
}

std::optional<Counters> Account::Verdict(TimePoint now) const {
  if (!Ended(now) || !remains_read_) return std::nullopt;
  Counters counters;
  for (const auto& [id, session] : sessions_) {
    if (!session.final) return std::nullopt;
    counters.Add(session.record);
  }
  if (!totals_ || CountOf(*totals_) <= 1) return counters;
  // A shared instance: sessions whose details were lost stand in the totals, and what is billed is
  // the union of their intervals (S3-20).
  const Counters totals = Counters::FromTotals(*totals_);
  counters.billed_ms = totals.billed_ms;
  counters.established = std::max(counters.established, totals.established);
  std::int64_t lost = totals.total - counters.total;
  for (const auto& [code, count] : totals.by_code) {
    const std::int64_t of_code = std::clamp<std::int64_t>(count - counters.by_code[code], 0, lost);
    counters.by_code[code] += of_code;
    counters.total += of_code;
    lost -= of_code;
  }
  std::erase_if(counters.by_code, [](const auto& each) { return each.second == 0; });
  return counters;
}

std::optional<TimePoint> Account::NextDeadline() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [id, session] : sessions_) {
    if (!session.final) consider(session.since + kRefineTime);
  }
  if (ended_since_ && !remains_read_) consider(*ended_since_ + kViewTime);
  if (deleting_since_ && !pod_.ended()) {
    consider(*deleting_since_ + seconds(pod_.grace_seconds) + kBeyondGrace);
  }
  return next;
}

}  // namespace wsf::ledger
