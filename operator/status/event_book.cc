// SPDX-License-Identifier: Apache-2.0
#include "operator/status/event_book.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace wsf::status {

void EventBook::Happened(const Subject& subject, const std::string& message, std::int64_t wall,
                         TimePoint now) {
  const auto [found, is_new] = entries_.try_emplace(subject);
  Entry& entry = found->second;
  if (is_new) {
    entry.number = ++made_;
    entry.event.subject = subject;
    entry.event.name = absl::StrCat(subject.function, ".", run_, absl::Hex(entry.number));
    entry.event.first = wall;
    order_[entry.number] = subject;
  }
  entry.event.message = message;
  entry.event.last = wall;
  ++entry.event.count;
  Wait(&entry, now);
  if (entries_.size() > kMax) ForgetOldest();
}

void EventBook::Wait(Entry* entry, TimePoint now) {
  entry->changed = true;
  if (entry->waits || entry->busy) return;
  entry->waits = true;
  const Room room = RoomOf(entry->event.subject);
  Pace& pace = paces_[room];
  if (pace.waiting.empty()) {
    pace.next = std::max(pace.next, now);
    due_.insert({pace.next, room});
  }
  pace.waiting.push_back(entry->event.subject);
}

std::vector<EventBook::Event> EventBook::Take(TimePoint now) {
  std::vector<Event> events;
  while (!due_.empty() && due_.begin()->first <= now) {
    const Room room = due_.begin()->second;
    due_.erase(due_.begin());
    Pace& pace = paces_[room];
    Entry& entry = entries_[pace.waiting.front()];
    pace.waiting.pop_front();
    pace.next = now + kInterval;
    if (!pace.waiting.empty()) due_.insert({pace.next, room});
    entry.waits = false;
    entry.changed = false;
    entry.busy = true;
    events.push_back(entry.event);
  }
  return events;
}

void EventBook::OnWritten(const Subject& subject, Outcome outcome, TimePoint now) {
  const auto found = entries_.find(subject);
  if (found == entries_.end() || !found->second.busy) return;
  Entry& entry = found->second;
  entry.busy = false;
  if (outcome == Outcome::kWritten || outcome == Outcome::kThere) entry.event.is_new = false;
  if (outcome == Outcome::kGone) entry.event.is_new = true;
  const bool is_told = outcome == Outcome::kWritten || outcome == Outcome::kRefused;
  if (!is_told || entry.changed) Wait(&entry, now);
}

std::optional<TimePoint> EventBook::Next() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

void EventBook::Forget(const std::string& uid) {
  std::erase_if(order_, [&uid](const auto& each) { return each.second.uid == uid; });
  std::erase_if(entries_, [&uid](const auto& each) { return each.first.uid == uid; });
  std::erase_if(due_, [&uid](const auto& each) { return each.second.first == uid; });
  std::erase_if(paces_, [&uid](const auto& each) { return each.first.first == uid; });
}

// Out of its room's line.
void EventBook::Leave(const Subject& subject) {
  const Room room = RoomOf(subject);
  Pace& pace = paces_[room];
  std::erase(pace.waiting, subject);
  if (pace.waiting.empty()) due_.erase({pace.next, room});
}

void EventBook::ForgetOldest() {
  const Subject oldest = order_.begin()->second;
  if (entries_[oldest].waits) Leave(oldest);
  entries_.erase(oldest);
  order_.erase(order_.begin());
  const bool has_more = std::ranges::any_of(
      entries_, [&](const auto& each) { return RoomOf(each.first) == RoomOf(oldest); });
  if (!has_more) paces_.erase(RoomOf(oldest));
}

}  // namespace wsf::status
