// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "common/base/time.h"
#include "common/observe/metrics.h"
#include "operator/fleet/fleet.h"
#include "wsf/v1/record.pb.h"

namespace wsf::control {

/// The operator's metrics (kubernetes.md section 6). Label values are names of functions, codes and
/// words of ours, never a client's.
///
/// Threading: confined to the operator's thread.
class Measures {
 public:
  void OnApiAnswer(const char* verb, const std::string& path, int http_status);
  void OnRecord(const v1::SessionRecord& record);
  void OnReconciled(Duration took);
  void OnFault(const char* resource);
  /// `http_status` 0: it gave no answer.
  void OnSidecarAnswer(const std::string& command, int http_status);
  /// What a port of ours has turned away: "relays", "gateways" or "people"; `reason` is a word.
  void OnRefused(const char* port, const char* reason);
  /// How often, since the start.
  void SetRefused(const char* port, const char* reason, std::size_t times);
  void SetLeading(double leading) { metrics_.Set("wsf_leader", "", leading); }

  /// All of them, with what `fleet` is now and how many API calls are not answered yet.
  std::string Text(const fleet::Fleet& fleet, std::size_t calls_awaited);

 private:
  observe::Metrics metrics_;
};

/// The resource that an API path is about: "pods", "websocketfunctions/status"; "" for none.
std::string ResourceOf(const std::string& path);

}  // namespace wsf::control
