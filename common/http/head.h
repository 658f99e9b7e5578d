// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace wsf::http {

struct Field {
  std::string name;  ///< as sent
  std::string value;
};

/// The fields of a head in the order of their arrival; names compare without case.
class Fields {
 public:
  void Add(std::string_view name, std::string_view value);
  /// Drops every field for which `drop(field)` holds.
  template <typename Predicate>
  void RemoveIf(Predicate drop) {
    std::erase_if(fields_, drop);
  }
  void Remove(std::string_view name);

  std::size_t Count(std::string_view name) const;
  /// The first value; nothing when the field is absent.
  std::optional<std::string_view> Find(std::string_view name) const;
  /// The elements of all fields of that name, read as comma-separated lists (RFC 9110 5.6.1);
  /// a comma in a quoted string separates nothing.
  std::vector<std::string_view> List(std::string_view name) const;
  /// Whether List(name) holds `token`, without case.
  bool HasToken(std::string_view name, std::string_view token) const;

  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

struct RequestHead {
  std::string method;
  std::string target;
  int version = 11;  ///< 10 or 11
  Fields fields;
};

struct AnswerHead {
  int status = 0;
  std::string reason;
  int version = 11;
  Fields fields;
};

/// Size of the head at the front of `bytes`, its empty line included; nothing while incomplete.
std::optional<std::size_t> HeadSize(std::string_view bytes);

/// Parses a complete head. Stricter than RFC 9112: no obs-fold, no bare CR or LF, no NUL, no space
/// before a colon. As liberal as it: one empty line before a request, a status line without the
/// space before its reason. InvalidArgument says what is wrong.
absl::StatusOr<RequestHead> ParseRequestHead(std::string_view head);
absl::StatusOr<AnswerHead> ParseAnswerHead(std::string_view head);

/// The wire form, empty line included; always HTTP/1.1.
std::string Write(const RequestHead& head);
std::string Write(const AnswerHead& head);

bool EqualIgnoringCase(std::string_view a, std::string_view b);

}  // namespace wsf::http
