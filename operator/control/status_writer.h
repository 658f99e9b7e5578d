// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>

#include "common/base/time.h"
#include "operator/fleet/fleet.h"
#include "operator/kube/client.h"
#include "operator/ledger/counters.h"

namespace wsf::control {

/// Writes what a person sees of a function: its status, at most once a second and only when it
/// changed (K07), and Events, counted up where they repeat (K08).
///
/// Threading: confined to the operator's thread.
class StatusWriter {
 public:
  /// `public_url` is the start of status.url.
  StatusWriter(kube::Client* client, std::string public_url)
      : client_(client), public_url_(std::move(public_url)) {}

  /// The status as the API has it; the counters go on from the first one seen.
  void OnFunction(const std::string& key, kube::Json status);
  void Forget(const std::string& key) { states_.erase(key); }
  void Add(const std::string& key, const v1::SessionRecord& record);

  /// Writes every status that has changed and is due.
  void Write(const fleet::Fleet& fleet);
  void WriteEvent(const spec::Function& function, const std::string& reason,
                  const std::string& message);

 private:
  struct State {
    kube::Json status;  // as the API has it
    ledger::Counters sessions;
    bool counters_read = false;
    bool writing = false;
    TimePoint last_write;
  };

  void WriteOne(const fleet::Fleet& fleet, const spec::Function& function);

  kube::Client* const client_;
  const std::string public_url_;
  std::map<std::string, State> states_;                        // by function key
  std::map<std::string, std::pair<std::string, int>> events_;  // name -> first time, count
};

}  // namespace wsf::control
