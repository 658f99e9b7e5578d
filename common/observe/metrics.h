// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

namespace wsf::observe {

/// Counters and gauges in Prometheus' text format. Label values never come from clients
/// (kubernetes.md section 6).
///
/// Threading: not synchronized; confined to one thread.
class Metrics {
 public:
  /// Adds to `name{labels}`; `labels` is as it is written, e.g. `reason="BadRequest"`, or "".
  void Add(const std::string& name, const std::string& labels, double value);

  std::string Text() const;

 private:
  std::map<std::string, std::map<std::string, double>> families_;
};

}  // namespace wsf::observe
