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
/// (kubernetes.md section 6). Thread-safe: a line is one write.
void Log(Level level, std::string_view message, std::initializer_list<LogField> fields = {});

/// The same with the members of a JSON object in place of fields: the `session` line.
void LogObject(Level level, std::string_view message, std::string_view object);

}  // namespace wsf::observe
