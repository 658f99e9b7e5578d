// SPDX-License-Identifier: Apache-2.0
#include "common/observe/log.h"

#include <unistd.h>

#include <string>

#include "common/base/impossible.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/observe/line_writer.h"

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

// Never destroyed: threads of libraries may log until the very end.
LineWriter& Writer() {
  static auto* const writer = new LineWriter(STDOUT_FILENO, [](std::uint64_t lines) {
    return Start(Level::kWarning, "log lines dropped") + ",\"lines\":" + std::to_string(lines) +
           ",\"error\":\"standard output was not read\"}";
  });
  return *writer;
}

}  // namespace

void Log(Level level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = Start(level, message);
  for (const auto& [name, value] : fields) line += "," + JsonText(name) + ":" + JsonText(value);
  Writer().Write(line + "}");
}

void LogObject(Level level, std::string_view message, std::string_view object) {
  std::string line = Start(level, message);
  if (object.size() > 2) line += "," + std::string(object.substr(1, object.size() - 2));
  Writer().Write(line + "}");
}

void LogTheImpossible() {
  OnImpossible([](std::string_view what) {
    Log(Level::kError, "impossible", {{"error", std::string(what)}});
  });
}

void FinishLog() { Writer().Finish(std::chrono::seconds(1)); }

}  // namespace wsf::observe
