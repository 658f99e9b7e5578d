// SPDX-License-Identifier: Apache-2.0
#include "gateway/route/table.h"

#include "common/http/authority.h"

namespace wsf::route {
namespace {

// "/ns/name/rest?query" -> "ns/name"; "" when there are no two segments.
std::string_view FirstTwoSegments(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.size() < 2 || path[0] != '/') return "";
  const std::size_t first = path.find('/', 1);
  if (first == std::string_view::npos) return "";
  const std::size_t second = path.find('/', first + 1);
  return path.substr(1, second == std::string_view::npos ? path.npos : second - 1);
}

}  // namespace

std::string KeyOf(const v1::FunctionName& name) { return name.namespace_() + "/" + name.name(); }

void Table::Set(const v1::Route& route) {
  const std::string key = KeyOf(route.function());
  Remove(key);
  routes_[key] = std::make_shared<const v1::Route>(route);
  for (const std::string& host : route.hosts()) by_host_[http::NormalHost(host)].insert(key);
}

void Table::Remove(const std::string& key) {
  marked_.erase(key);
  const auto found = routes_.find(key);
  if (found == routes_.end()) return;
  for (const std::string& host : found->second->hosts()) {
    const auto keys = by_host_.find(http::NormalHost(host));
    if (keys == by_host_.end()) continue;  // named twice
    keys->second.erase(key);
    if (keys->second.empty()) by_host_.erase(keys);
  }
  routes_.erase(found);
}

void Table::MarkAll() {
  for (const auto& [key, route] : routes_) marked_.insert(key);
}

void Table::DropMarked() {
  while (!marked_.empty()) Remove(std::string(*marked_.begin()));
}

std::shared_ptr<const v1::Route> Table::Find(const std::string& key) const {
  const auto found = routes_.find(key);
  return found == routes_.end() ? nullptr : found->second;
}

std::optional<Match> Table::Resolve(std::string_view host, std::string_view target) const {
  const auto name = http::ParseAuthority(host);
  const auto keys = name ? by_host_.find(name->host) : by_host_.end();
  if (keys != by_host_.end()) {
    return Match{Find(*keys->second.begin()), std::string(target), ""};
  }
  const std::string_view segments = FirstTwoSegments(target);
  if (auto route = Find(std::string(segments)); route != nullptr) {
    const std::string_view rest = target.substr(1 + segments.size());
    std::string stripped = rest.empty() || rest[0] != '/' ? "/" : "";
    stripped += rest;
    return Match{std::move(route), std::move(stripped), "/" + std::string(segments)};
  }
  if (auto route = Find(default_function_); route != nullptr) {
    return Match{std::move(route), std::string(target), ""};
  }
  return std::nullopt;
}

}  // namespace wsf::route
