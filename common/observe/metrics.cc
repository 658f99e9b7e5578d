// SPDX-License-Identifier: Apache-2.0
#include "common/observe/metrics.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace wsf::observe {
namespace {

// In seconds: a start takes milliseconds, a session hours.
constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,   0.25,   0.5,
                                1.0,   2.5,    5.0,   10.0, 30.0,  60.0, 300.0, 1800.0, 7200.0};

std::string Labelled(const std::string& labels, const std::string& more) {
  if (labels.empty() && more.empty()) return "";
  const char* comma = labels.empty() || more.empty() ? "" : ",";
  return absl::StrCat("{", labels, comma, more, "}");
}

}  // namespace

void Metrics::Add(const std::string& name, const std::string& labels, double value) {
  families_[name][labels] += value;
}

void Metrics::Set(const std::string& name, const std::string& labels, double value) {
  families_[name][labels] = value;
}

void Metrics::Observe(const std::string& name, const std::string& labels, double seconds) {
  Histogram& histogram = histograms_[name][labels];
  histogram.buckets.resize(kBounds.size() + 1);
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++histogram.buckets[static_cast<std::size_t>(bound - kBounds.begin())];
  histogram.sum += seconds;
  ++histogram.count;
}

std::string Metrics::Text() const {
  std::string text;
  for (const auto& [name, series] : families_) {
    const char* type = absl::EndsWith(name, "_total") ? "counter" : "gauge";
    absl::StrAppend(&text, "# TYPE ", name, " ", type, "\n");
    for (const auto& [labels, value] : series) {
      absl::StrAppend(&text, name, Labelled(labels, ""), " ", value, "\n");
    }
  }
  for (const auto& [name, series] : histograms_) {
    absl::StrAppend(&text, "# TYPE ", name, " histogram\n");
    for (const auto& [labels, histogram] : series) {
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < kBounds.size(); ++i) {
        below += histogram.buckets[i];
        absl::StrAppend(&text, name, "_bucket",
                        Labelled(labels, absl::StrCat("le=\"", kBounds[i], "\"")), " ", below,
                        "\n");
      }
      absl::StrAppend(&text, name, "_bucket", Labelled(labels, "le=\"+Inf\""), " ", histogram.count,
                      "\n", name, "_sum", Labelled(labels, ""), " ", histogram.sum, "\n", name,
                      "_count", Labelled(labels, ""), " ", histogram.count, "\n");
    }
  }
  return text;
}

}  // namespace wsf::observe
