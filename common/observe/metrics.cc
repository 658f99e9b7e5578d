// SPDX-License-Identifier: Apache-2.0
#include "common/observe/metrics.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace wsf::observe {

void Metrics::Add(const std::string& name, const std::string& labels, double value) {
  families_[name][labels] += value;
}

std::string Metrics::Text() const {
  std::string text;
  for (const auto& [name, series] : families_) {
    const char* type = absl::EndsWith(name, "_total") ? "counter" : "gauge";
    absl::StrAppend(&text, "# TYPE ", name, " ", type, "\n");
    for (const auto& [labels, value] : series) {
      absl::StrAppend(&text, name, labels.empty() ? "" : absl::StrCat("{", labels, "}"), " ", value,
                      "\n");
    }
  }
  return text;
}

}  // namespace wsf::observe
