// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wsf::observe {

/// Counters, gauges and histograms in Prometheus' text format. Label values never come from clients
/// (kubernetes.md section 6).
///
/// Threading: not synchronized; confined to one thread.
class Metrics {
 public:
  /// Adds to `name{labels}`; `labels` is as it is written, e.g. `reason="BadRequest"`, or "".
  void Add(const std::string& name, const std::string& labels, double value);
  /// The present value of a gauge.
  void Set(const std::string& name, const std::string& labels, double value);
  /// Forgets the series of a gauge: those whose thing has gone would stay for ever.
  void Clear(const std::string& name) { families_.erase(name); }
  /// A value, in seconds, of the histogram `name`: buckets from 1 ms to a day.
  void Observe(const std::string& name, const std::string& labels, double seconds);

  std::string Text() const;

 private:
  struct Histogram {
    std::vector<std::uint64_t> buckets;  // not cumulative
    double sum = 0;
    std::uint64_t count = 0;
  };
  std::map<std::string, std::map<std::string, double>> families_;
  std::map<std::string, std::map<std::string, Histogram>> histograms_;
};

}  // namespace wsf::observe
