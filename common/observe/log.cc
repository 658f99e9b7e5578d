// SPDX-License-Identifier: Apache-2.0
#include "common/observe/log.h"

#include <unistd.h>

#include "common/base/text.h"
#include "common/base/time.h"

namespace wsf::observe {
namespace {

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "";
}

std::string Start(Level level, std::string_view message) {
  return "{\"ts\":" + JsonText(Rfc3339(UnixMicros())) + ",\"level\":" + JsonText(LevelName(level)) +
         ",\"msg\":" + JsonText(message);
}

void WriteLine(std::string line) {
  line += "}\n";
  // A log that can not be written must not stop what it tells of.
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace

void Log(Level level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = Start(level, message);
  for (const auto& [name, value] : fields) line += "," + JsonText(name) + ":" + JsonText(value);
  WriteLine(std::move(line));
}

void LogObject(Level level, std::string_view message, std::string_view object) {
  std::string line = Start(level, message);
  if (object.size() > 2) line += "," + std::string(object.substr(1, object.size() - 2));
  WriteLine(std::move(line));
}

}  // namespace wsf::observe
