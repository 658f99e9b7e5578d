// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/source_watch.h"

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/tls/certificate.h"

namespace wsf::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 5000;
constexpr std::size_t kDigits = 12;

bool IsIgnored(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.front() == '.' || name == "node_modules" || name == "__pycache__";
}

}  // namespace

std::string Fingerprint(const std::string& folder) {
  std::set<std::string> lines;  // a folder's own order means nothing
  std::error_code error;
  fs::recursive_directory_iterator each(folder, error);
  for (; !error && each != fs::recursive_directory_iterator() && lines.size() < kMaxFiles;
       each.increment(error)) {
    if (IsIgnored(each->path())) {
      each.disable_recursion_pending();
      continue;
    }
    std::error_code gone;
    if (!each->is_regular_file(gone)) continue;
    const auto written = each->last_write_time(gone).time_since_epoch().count();
    lines.insert(absl::StrCat(each->path().string(), " ", each->file_size(gone), " ", written));
  }
  std::string all;
  for (const std::string& line : lines) absl::StrAppend(&all, line, "\n");
  return tls::Sha256(all).substr(0, kDigits);
}

}  // namespace wsf::supervisor
