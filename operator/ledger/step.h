// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/ledger/counters.h"

namespace wsf::ledger {

// The protocol by which an instance is counted exactly once, whoever is killed at any moment (I4;
// contracts.md, "Record and ledger"; after KEP-2307, the Job controller's):
//
//   pod with finalizer, ended   ->  entry in status.uncounted     (one conditional status write)
//   entry persisted             ->  the pod's finalizer goes      (one pod write)
//   finalizer seen gone         ->  entry becomes a part of the counters (the next status write)
//
// Each arrow may be tried again after a crash without harm: an entry is keyed by its pod, a
// finalizer can be removed once, and an entry leaves the list in the very write that counts it.

/// An ended instance that is in the hand of the ledger: one element of `status.uncounted`.
struct Entry {
  std::string uid;  ///< of the pod
  Counters sessions;
  bool operator==(const Entry&) const = default;
};

/// The ledger's part of one function's status, at one version of the object.
struct Book {
  Counters sessions;
  std::vector<Entry> uncounted;
  bool operator==(const Book&) const = default;

  /// From a function's `status`; what is missing reads as nothing.
  static Book FromStatus(const nlohmann::json& status);
  nlohmann::json UncountedJson() const;
};

/// At most so many entries stand in a status: an object of Kubernetes has a limited size.
inline constexpr std::size_t kMaxUncounted = 500;

/// One pod of the function, as it was last seen.
struct ObservedPod {
  std::string uid;
  bool has_finalizer = false;
  bool ended = false;
  bool deleting = false;
  /// What its sessions come to, once every record of it is final.
  std::optional<Counters> verdict;
};

/// What is to be done. Everything may be done again: each part is idempotent or conditional.
struct Step {
  Book book;  ///< to be written on condition of the version read, if it differs from that one's
  std::vector<std::string> remove_finalizer;
  std::vector<std::string> put_back_finalizer;
};

/// Pure. `pods` are all pods of the function that have ended (or lack the finalizer; others may be
/// among them, and change nothing), from a consistent list that was asked for after the
/// book had been read, or from the watch that follows such a list: a pod that is not among them is
/// gone, and one whose finalizer stands was counted by nobody. With an older list another
/// operator's entry could be dropped too early, or its counted pod be entered again.
Step NextStep(const Book& book, const std::vector<ObservedPod>& pods);

}  // namespace wsf::ledger
