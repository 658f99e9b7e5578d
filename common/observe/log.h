// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace wsf::observe {

enum class Level { kInfo, kWarning, kError };

/// A field of a log line; the value is escaped.
using LogField = std::pair<std::string_view, std::string>;

/// Writes one JSON object as one line to standard output: `ts level msg` and `fields`
/// (kubernetes.md section 6). Thread-safe, and never waits for who reads it: LineWriter.
void Log(Level level, std::string_view message, std::initializer_list<LogField> fields = {});

/// The same with the members of a JSON object in place of fields: the `session` line.
void LogObject(Level level, std::string_view message, std::string_view object);

/// From here on Impossible() (common/base) leaves an error line.
void LogTheImpossible();

/// To be called at the end of a program: waits up to 1 s for what has not been read yet.
void FinishLog();

}  // namespace wsf::observe
