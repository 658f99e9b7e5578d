// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iterator>

namespace wsf::fleet {

/// Figures of one function; what one instance adds to them has the same form.
struct Counts {
  int starting = 0;
  int free = 0;
  int live = 0;
  int doubted = 0;      ///< counted in live, until the sidecar has said what it is
  int open_slots = 0;   ///< of live instances (instanceConcurrency > 1)
  int taken_slots = 0;  ///< of live instances; one where the sessions are not known
  int ending = 0;
  int outdated = 0;  ///< of an older revision, but for live ones that may go on until they end
  int live_sessions = 0;
  int waiting = 0;
  // Of these, what a plan looks for.
  int current_free = 0;      ///< neither of an older revision nor too old
  int current_starting = 0;  ///< the same
  int stale_free = 0;        ///< free, but not current
  int stale_starting = 0;    ///< starting, not current, and not being deleted yet
  int proven = 0;            ///< current, and free for so long that its server starts well
  int retirable = 0;         ///< live, of an older revision, and not asked to end yet

  Counts& operator+=(const Counts& other) { return Add(other, 1); }
  Counts& operator-=(const Counts& other) { return Add(other, -1); }
  bool operator==(const Counts&) const = default;

 private:
  Counts& Add(const Counts& other, int sign);
};

inline Counts& Counts::Add(const Counts& other, int sign) {
  constexpr int Counts::*kAll[] = {
      &Counts::starting,   &Counts::free,           &Counts::live,
      &Counts::doubted,    &Counts::open_slots,     &Counts::taken_slots,
      &Counts::ending,     &Counts::outdated,       &Counts::live_sessions,
      &Counts::waiting,    &Counts::current_free,   &Counts::current_starting,
      &Counts::stale_free, &Counts::stale_starting, &Counts::proven,
      &Counts::retirable};
  static_assert(sizeof(Counts) == sizeof(int) * std::size(kAll), "a figure is missing here");
  for (const auto each : kAll) this->*each += sign * (other.*each);
  return *this;
}

}  // namespace wsf::fleet
