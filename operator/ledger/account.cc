// SPDX-License-Identifier: Apache-2.0
#include "operator/ledger/account.h"

#include <algorithm>
#include <utility>

#include "common/base/reason.h"
#include "common/record/reader.h"

namespace wsf::ledger {
namespace {

using std::chrono::seconds;

// What the runtime says of a container comes with its pod's status, a moment after the end.
constexpr auto kRefineTime = seconds(5);
// A pod that has been deleting for so long beyond its grace has no kubelet that would end it. On a
// busy node the kubelet's word comes minutes late, and it is better than anybody else's.
constexpr auto kBeyondGrace = seconds(120);
// How long a gateway may take to tell a new operator what it saw.
constexpr auto kViewTime = seconds(15);

// What a kubelet says of a container whose end it did not see.
constexpr char kStatusLost[] = "ContainerStatusUnknown";

std::int64_t CountOf(const v1::InstanceTotals& totals) {
  std::int64_t sum = 0;
  for (const auto& [code, count] : totals.sessions_by_code()) sum += count;
  return sum;
}

// The server's process has gone, and only the runtime knows why (A16, E22).
bool AwaitsExitCode(const v1::SessionRecord& record) {
  return record.status_code() == 439 && record.reason() == ReasonName(Reason::kUserProcessExited);
}

struct ServerEnd {
  int exit_code;
  std::string reason;
};

// The end of the server that the session had. The kubelet starts it again (D25): what it says now
// may be of the next one, and what it said last of one before the session. It tells whole seconds.
std::optional<ServerEnd> EndOfServer(const instances::Pod& pod, const v1::SessionRecord& record) {
  constexpr std::int64_t kSecond = 1'000'000;
  const instances::ContainerState& server = pod.server;
  const std::int64_t start =
      record.established() != 0 ? record.established() : record.request_start();
  if (server.restarts > 0 && server.last_finished >= start / kSecond * kSecond)
    return ServerEnd{server.last_exit_code, server.last_reason};
  if (server.terminated) return ServerEnd{server.exit_code, server.reason};
  return std::nullopt;
}

// Ended by SIGTERM, and only the pod's conditions tell an eviction from a wish (P16, P17).
bool AwaitsDisruption(const v1::SessionRecord& record) {
  return record.status_code() == 499 && record.established() != 0 &&
         record.reason() == ReasonName(Reason::kRequestCanceled);
}

// What the sidecar does not know: the names.
void Complete(const instances::Pod& pod, v1::SessionRecord* record) {
  record->set_namespace_(pod.ns);
  record->set_function(pod.function);
  record->set_revision(pod.revision);
  record->set_instance(pod.name);
  record->set_pod_uid(pod.uid);
}

// Of a relay that ended in order an empty message is a word too: there was no session, or its claim
// was undone.
bool HasWord(const instances::ContainerState& relay, const Remains& remains) {
  if (!remains.records.empty() || remains.totals) return true;
  const bool blank = relay.message.find_first_not_of(' ') == std::string::npos;
  return relay.terminated && relay.exit_code == 0 && blank && relay.reason != kStatusLost;
}

}  // namespace

// ---- What is told ----

void Account::OnPod(const instances::Pod& pod, TimePoint now) {
  pod_ = pod;
  if (pod_.deleting && !deleting_since_) deleting_since_ = now;
}

Account::Report Account::OnReport(const v1::SessionRecord& record, const v1::InstanceTotals& totals,
                                  TimePoint now) {
  started_ = true;
  const std::string& id = record.request_id();
  if (const int* code = final_.Find(id)) {
    return *code == record.status_code() ? Report::kTaken : Report::kLate;
  }
  if (frozen_) return Report::kLate;
  views_.erase(id);
  // Totals that were left behind have every session that was not open, and these are known.
  const bool is_in_totals = !remains_read_ || read_totals_;
  const Source source = is_in_totals ? Source::kReport : Source::kMessage;
  if (!remains_read_) {
    if (!totals_ || CountOf(totals) > CountOf(*totals_)) totals_ = totals;
    billed_until_ = totals_->at();
  }
  if (totals.open() == 0) reported_all_ = true;
  const auto [found, is_new] = unsettled_.try_emplace(id, Session{record, now, source});
  // What a sidecar says is better than what was made up without it.
  if (!is_new) found->second.record = record;
  return Report::kTaken;
}

void Account::OnTaken(const std::string& request_id, std::int64_t unix_micros) {
  started_ = true;
  if (frozen_ || IsFinal(request_id) || unsettled_.contains(request_id)) return;
  views_.try_emplace(request_id, GatewayView{request_id, 0, 0, unix_micros});
}

void Account::OnNotTaken(const std::string& request_id) {
  const auto view = views_.find(request_id);
  if (view != views_.end() && view->second.ended == 0) views_.erase(view);
}

void Account::OnGatewayView(const GatewayView& view) {
  started_ = true;
  if (frozen_ || IsFinal(view.request_id) || unsettled_.contains(view.request_id)) return;
  GatewayView& known = views_[view.request_id];
  const std::int64_t taken = known.taken;
  known = view;
  if (known.taken == 0) known.taken = taken;
}

// ---- The end ----

TimePoint Account::LastWord() const {
  return *deleting_since_ + seconds(pod_.grace_seconds) + kBeyondGrace;
}

bool Account::RelayEnded(TimePoint now) const {
  if (gone_ || pod_.finished() || (pod_.never_started() && !started_)) return true;
  return deleting_since_ && now >= LastWord();
}

// Once, when the instance has ended: then nothing better will come.
void Account::ReadRemains(TimePoint now) {
  if (remains_read_) return;
  if (reported_all_) {
    // All is said; and the operator may not know it any more when the runtime tells of the end.
    remains_read_ = true;
    return views_.clear();
  }
  if (!ended_since_) ended_since_ = now;
  // Whoever reads it may come an hour later. Where nobody told the end, it is at the latest when
  // the pod was to be gone.
  std::int64_t end = pod_.relay.finished;
  if (end == 0) end = UnixMicros();
  if (pod_.relay.finished == 0 && pod_.deletes_at != 0) end = std::min(end, pod_.deletes_at);
  Remains remains = ReadTerminationMessage(pod_.relay.message, end);
  const bool has_word = HasWord(pod_.relay, remains);
  // After the loss of a node the message is lost too, and what gateways saw may be on its way.
  const bool may_come = pod_.finished() && !gone_ && now < *ended_since_ + kViewTime;
  if (!has_word && may_come) return;
  remains_read_ = true;
  read_totals_ = remains.totals.has_value();
  const Source source = remains.totals ? Source::kTotals : Source::kMessage;
  for (v1::SessionRecord& record : remains.records) Add(std::move(record), source, now);
  if (remains.totals && (!totals_ || CountOf(*remains.totals) > CountOf(*totals_))) {
    totals_ = std::move(remains.totals);
  }
  if (!has_word) ReadViews(end, now);
  views_.clear();
}

void Account::ReadViews(std::int64_t end, TimePoint now) {
  for (const auto& [id, view] : views_) {
    if (IsInTotals(view)) continue;
    const std::int64_t ended = view.ended != 0 ? view.ended : end;
    std::int64_t start = view.taken != 0 ? view.taken : view.established;
    if (start == 0) start = ended;
    Add(SyntheticRecord(id, start, view.established, ended), Source::kGateway, now);
  }
}

// It had ended when the totals were reported, and its own report was lost or still to come.
bool Account::IsInTotals(const GatewayView& view) const {
  if (!totals_ || CountOf(*totals_) == 0) return false;
  const auto& open = totals_->open_ids();
  const std::int64_t begun = view.taken != 0 ? view.taken : view.ended;
  return begun <= totals_->at() &&
         std::find(open.begin(), open.end(), view.request_id) == open.end();
}

void Account::Add(v1::SessionRecord record, Source source, TimePoint now) {
  const std::string id = record.request_id();
  if (IsFinal(id)) return;
  unsettled_.try_emplace(id, Session{std::move(record), now, source});
}

bool Account::MayChange(const Session& session, TimePoint now) const {
  if (gone_ || now >= session.since + kRefineTime) return false;
  if (AwaitsExitCode(session.record)) return !EndOfServer(pod_, session.record).has_value();
  if (AwaitsDisruption(session.record)) return !pod_.disrupted && !RelayEnded(now);
  return false;
}

void Account::Refine(v1::SessionRecord* record) const {
  const std::optional<ServerEnd> end = EndOfServer(pod_, *record);
  if (AwaitsExitCode(*record) && end) {
    record->set_exit_code(end->exit_code);
    if (end->reason == "OOMKilled") {
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
  for (auto each = unsettled_.begin(); each != unsettled_.end();) {
    Session& session = each->second;
    if (MayChange(session, now)) {
      ++each;
      continue;
    }
    Settle(&session);
    taken.push_back(std::move(session.record));
    each = unsettled_.erase(each);
  }
  return taken;
}

void Account::Settle(Session* session) {
  v1::SessionRecord& record = session->record;
  const int told = record.status_code();
  Refine(&record);
  Complete(pod_, &record);
  settled_.Add(record);
  if (session->source == Source::kMessage || session->source == Source::kGateway) {
    beyond_totals_.Add(record);
    // It was live beside the others, whose time is billed already (S3-20).
    if (record.established() != 0) {
      const std::int64_t more = record.ended() - std::max(billed_until_, record.established());
      beyond_totals_.billed_ms += std::max<std::int64_t>(0, more / 1000) - record.billed_ms();
      billed_until_ = std::max(billed_until_, record.ended());
      // The totals have what was established before they were told.
      if (totals_ && record.established() <= totals_->at()) --beyond_totals_.established;
    }
  } else if (record.status_code() != told) {
    --refined_[told];
    ++refined_[record.status_code()];
  }
  final_.Add(record.request_id(), record.status_code());
}

std::optional<Counters> Account::Verdict(TimePoint now) const {
  if (!Ended(now) || !remains_read_ || !unsettled_.empty()) return std::nullopt;
  if (!totals_ || CountOf(*totals_) == 0) return settled_;
  // A shared instance: sessions whose details were lost stand in the totals, and what is billed is
  // the union of their intervals (S3-20).
  Counters verdict = Counters::FromTotals(*totals_);
  for (const auto& [code, more] : refined_) verdict.by_code[code] += more;
  verdict.Add(beyond_totals_);
  std::erase_if(verdict.by_code, [](const auto& each) { return each.second <= 0; });
  verdict.total = 0;
  for (const auto& [code, count] : verdict.by_code) verdict.total += count;
  verdict.established = std::min(verdict.established, verdict.total);
  return verdict;
}

std::optional<TimePoint> Account::NextDeadline() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [id, session] : unsettled_) consider(session.since + kRefineTime);
  if (ended_since_ && !remains_read_) consider(*ended_since_ + kViewTime);
  if (deleting_since_ && !pod_.finished()) consider(LastWord());
  return next;
}

}  // namespace wsf::ledger
