// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/store.h"

#include <algorithm>
#include <utility>

#include "common/json/read.h"

namespace wsf::api {
namespace {

// A watch that is further behind lists anew; each change holds one object.
constexpr std::size_t kMaxChanges = 4096;

}  // namespace

Store::Object Store::Find(const Resource& resource, const std::string& ns,
                          const std::string& name) const {
  const auto objects = objects_.find(&resource);
  if (objects == objects_.end()) return nullptr;
  const auto found = objects->second.find({ns, name});
  return found == objects->second.end() ? nullptr : found->second;
}

std::vector<Store::Object> Store::List(const Resource& resource, const std::string& ns) const {
  std::vector<Object> list;
  const auto objects = objects_.find(&resource);
  if (objects == objects_.end()) return list;
  for (const auto& [key, object] : objects->second) {
    if (ns.empty() || key.first == ns) list.push_back(object);
  }
  return list;
}

Store::Object Store::Put(const Resource& resource, Json object) {
  const Key key = {json::Text(object, "metadata", "namespace"),
                   json::Text(object, "metadata", "name")};
  object["metadata"]["resourceVersion"] = std::to_string(version_ + 1);
  const auto stored = std::make_shared<const Json>(std::move(object));
  Object& slot = objects_[&resource][key];
  const Object before = std::exchange(slot, stored);
  Tell(before == nullptr ? Change::Type::kAdded : Change::Type::kModified, resource, stored,
       before);
  return stored;
}

void Store::Remove(const Resource& resource, const std::string& ns, const std::string& name) {
  const Object old = Find(resource, ns, name);
  if (old == nullptr) return;
  objects_[&resource].erase({ns, name});
  Json last = *old;
  last["metadata"]["resourceVersion"] = std::to_string(version_ + 1);
  Tell(Change::Type::kDeleted, resource, std::make_shared<const Json>(std::move(last)), nullptr);
}

bool Store::Reaches(std::uint64_t version) const {
  return changes_.empty() ? version == version_ : version + 1 >= changes_.front().version;
}

std::vector<Change> Store::Since(std::uint64_t version) const {
  std::vector<Change> since;
  for (const Change& change : changes_) {
    if (change.version > version) since.push_back(change);
  }
  return since;
}

std::shared_ptr<void> Store::Subscribe(Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(handle);
  return handle;
}

void Store::Tell(Change::Type type, const Resource& resource, Object object, Object before) {
  const Change change = {++version_, type, &resource, std::move(object), std::move(before)};
  changes_.push_back(change);
  if (changes_.size() > kMaxChanges) changes_.pop_front();
  std::erase_if(listeners_, [](const auto& each) { return each.expired(); });
  const auto listeners = listeners_;  // a listener may subscribe or change the store
  for (const auto& each : listeners) {
    if (const auto listener = each.lock()) (*listener)(change);
  }
}

}  // namespace wsf::api
