// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "standalone/api/resource.h"

namespace wsf::api {

using Json = nlohmann::json;

/// A change of one object, as a watch tells it.
struct Change {
  enum class Type { kAdded, kModified, kDeleted };
  std::uint64_t version = 0;
  Type type = Type::kAdded;
  const Resource* resource = nullptr;
  std::shared_ptr<const Json> object;
  std::shared_ptr<const Json> before;  ///< only of kModified: what it was
};

/// Objects by resource, namespace and name, with one growing resourceVersion, and the last changes
/// for watches to resume from.
///
/// Threading: not synchronized; confined to the supervisor's thread.
class Store {
 public:
  using Object = std::shared_ptr<const Json>;

  /// nullptr when there is none.
  Object Find(const Resource& resource, const std::string& ns, const std::string& name) const;
  /// In the order of namespace and name; `ns` "" = all.
  std::vector<Object> List(const Resource& resource, const std::string& ns) const;

  /// Stores `object` under its metadata's names and gives it the next resourceVersion.
  Object Put(const Resource& resource, Json object);
  void Remove(const Resource& resource, const std::string& ns, const std::string& name);

  std::uint64_t version() const { return version_; }

  /// Whether every change after `version` is still known; if not, a watch gets 410.
  bool Reaches(std::uint64_t version) const;
  std::vector<Change> Since(std::uint64_t version) const;

  /// Called after each change, until the handle is destroyed.
  using Listener = std::function<void(const Change&)>;
  std::shared_ptr<void> Subscribe(Listener listener);

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  void Tell(Change::Type type, const Resource& resource, Object object, Object before);

  std::uint64_t version_ = 0;
  std::map<const Resource*, std::map<Key, Object>> objects_;
  std::deque<Change> changes_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace wsf::api
