// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "standalone/api/store.h"

namespace wsf::api {

/// What `kubectl get` prints: a meta.k8s.io/v1 Table of the objects (K06 for WebSocketFunctions).
/// `metadata` is the list's.
Json MakeTable(const Resource& resource, const std::vector<Store::Object>& objects,
               const Json& metadata, std::int64_t now_unix_micros);

/// A label or field selector: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
class Selector {
 public:
  explicit Selector(const std::string& text);
  /// Whether its terms can be labels of an object.
  bool IsOfLabels() const;
  /// Whether it names no other fields than these: an API server knows each of a CustomResource.
  bool IsOfFields(std::initializer_list<std::string_view> names) const;
  bool MatchesLabels(const Json& object) const;
  /// Dotted paths, e.g. `metadata.name=x`, `involvedObject.uid=y`.
  bool MatchesFields(const Json& object) const;

 private:
  enum class Kind { kIn, kNotIn, kExists, kMissing };
  struct Term {
    std::string key;
    Kind kind;
    std::vector<std::string> values;
  };
  static Term Parse(const std::string& text);
  static bool Holds(const Term& term, const std::string* value);
  std::vector<Term> terms_;
};

}  // namespace wsf::api
