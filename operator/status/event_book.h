// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace wsf::status {

/// What happens to a function, as Events for people (K08): the same again is counted up, and of one
/// function and reason one Event is written in ten seconds, however much happens meanwhile. What
/// waits is written later; of what happened in between the last words are told. One write of an
/// Event is under way at a time, so that an older one never comes last.
///
/// Pure; not synchronized. Its bound is kMax kinds of happenings: the one that is oldest goes, and
/// is a new Event when it happens again.
class EventBook {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(10);
  static constexpr std::size_t kMax = 4096;

  /// A happening: `kind` tells those of one reason apart that are counted by themselves, as a
  /// session's code; "" where there is one.
  struct Subject {
    std::string ns, function, uid;
    std::string reason, kind;
    auto operator<=>(const Subject&) const = default;
  };
  struct Event {
    Subject subject;
    std::string name;        ///< of the object
    std::string message;     ///< the last one
    std::int64_t first = 0;  ///< Unix microseconds
    std::int64_t last = 0;
    int count = 0;
    bool is_new = true;  ///< to be created; else its count and words are patched
  };
  enum class Outcome {
    kWritten,
    kThere,       ///< of a create: what stands there may be older
    kGone,        ///< an API server keeps an Event for an hour: it is made anew
    kUnanswered,  ///< or refused for now: it is written again
    kRefused,     ///< not written again until it happens again
  };

  /// `run` tells the names of this book's objects from those of another.
  explicit EventBook(std::string run) : run_(std::move(run)) {}

  /// `wall` is in Unix microseconds.
  void Happened(const Subject& subject, const std::string& message, std::int64_t wall,
                TimePoint now);
  /// What is to be written now. Each is told back by OnWritten.
  std::vector<Event> Take(TimePoint now);
  void OnWritten(const Subject& subject, Outcome outcome, TimePoint now);
  /// The function is gone; so are its Events, in time.
  void Forget(const std::string& uid);
  /// When Take has something to give.
  std::optional<TimePoint> Next() const;

 private:
  using Room = std::pair<std::string, std::string>;  // uid and reason
  struct Entry {
    Event event;
    bool changed = false;  // since it was taken
    bool waits = false;    // in its room's line
    bool busy = false;     // taken, and not told back
    std::uint64_t number = 0;
  };
  struct Pace {
    TimePoint next;
    std::deque<Subject> waiting;  // in the order in which they came
  };
  static Room RoomOf(const Subject& subject) { return {subject.uid, subject.reason}; }
  void Wait(Entry* entry, TimePoint now);
  void Leave(const Subject& subject);
  void ForgetOldest();

  const std::string run_;
  std::uint64_t made_ = 0;  // entries so far
  std::map<Subject, Entry> entries_;
  std::map<std::uint64_t, Subject> order_;  // of entries_, by number
  std::map<Room, Pace> paces_;
  std::set<std::pair<TimePoint, Room>> due_;  // of paces_ with somebody waiting
};

}  // namespace wsf::status
