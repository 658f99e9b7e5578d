// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "standalone/api/store.h"

namespace wsf::api {

/// What of an object stands beside its row: all of it when kubectl is to sort, say.
enum class Included { kMetadata, kObject, kNone };

/// What `kubectl get` prints: a meta.k8s.io/v1 Table of the objects (K06 for WebSocketFunctions).
/// `metadata` is the list's.
Json MakeTable(const Resource& resource, const std::vector<Store::Object>& objects,
               const Json& metadata, std::int64_t now_unix_micros,
               Included include = Included::kMetadata);

/// The same of one autoscaling/v1 Scale.
Json MakeScaleTable(const Store::Object& scale, std::int64_t now_unix_micros);

/// A label or field selector: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
class Selector {
 public:
  explicit Selector(const std::string& text);
  /// Whether its terms can be labels of an object.
  bool IsOfLabels() const;
  /// The first field that it names and that is none of these, of which alone an API server knows;
  /// "" = there is none.
  std::string FirstKeyBut(std::span<const std::string_view> names) const;
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
