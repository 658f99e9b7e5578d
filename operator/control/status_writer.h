// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/base/time.h"
#include "common/kube/client.h"
#include "operator/fleet/fleet.h"
#include "operator/ledger/ledger.h"
#include "operator/status/hosts.h"

namespace wsf::control {

/// Writes the status of functions, at most once a second and only when it changed (K07), less often
/// where the API refuses it. The ledger's book goes with the status, in one write that holds only
/// for the version last read.
///
/// Threading: confined to the operator's thread.
class StatusWriter {
 public:
  /// `on_object` gets every version of a function that a write or a conflict brings; `on_free` is
  /// called when the next write is possible, whatever became of the last one.
  StatusWriter(kube::Client* client, std::string public_url, ledger::Ledger* ledger,
               const status::Hosts* hosts, std::function<void(const kube::Json& object)> on_object,
               std::function<void()> on_free)
      : client_(client),
        public_url_(std::move(public_url)),
        ledger_(ledger),
        hosts_(hosts),
        on_object_(std::move(on_object)),
        on_free_(std::move(on_free)) {}

  /// A function's newest version.
  void OnFunction(const std::string& key, const std::string& version, kube::Json status);
  void Forget(const std::string& key) {
    states_.erase(key);
    changed_.erase(key);
  }
  /// Their statuses may have to change.
  void Changed(std::set<std::string> function_keys) { changed_.merge(std::move(function_keys)); }

  /// Writes every status that has changed and is due, and looks at no other; returns when the next
  /// one is.
  std::optional<TimePoint> Write(const fleet::Fleet& fleet, TimePoint now);

 private:
  struct State {
    std::string version;
    kube::Json status;  // as the API has it
    bool busy = false;  // a write or a reading is on its way
    int failures = 0;   // in a row
    TimePoint last_write;
    TimePoint next_write;
  };

  std::optional<TimePoint> WriteOne(const fleet::Fleet& fleet, const spec::Function& function,
                                    TimePoint now);
  void OnWritten(const std::string& key, const std::string& path, const kube::Response& response);

  kube::Client* const client_;
  const std::string public_url_;
  ledger::Ledger* const ledger_;
  const status::Hosts* const hosts_;
  const std::function<void(const kube::Json&)> on_object_;
  const std::function<void()> on_free_;
  std::map<std::string, State> states_;  // by function key
  std::set<std::string> changed_;        // keys: to be looked at
};

}  // namespace wsf::control
