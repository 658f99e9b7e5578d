// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "wsf/v1/fleet.pb.h"

namespace wsf::route {

/// "<namespace>/<name>".
std::string KeyOf(const v1::FunctionName& name);

/// Where a handshake goes.
struct Match {
  std::shared_ptr<const v1::Route> route;  ///< stays as it was when the table changes
  std::string target;  ///< for the server: the prefix stripped, the query as it was (A18)
  std::string prefix;  ///< "/<namespace>/<name>", "" for a host route
};

/// The functions and how they are addressed: by one of their hosts, path unchanged, else by
/// `/<namespace>/<name>`.
///
/// Pure; not synchronized.
class Table {
 public:
  /// `default_function` ("<namespace>/<name>" or "") is served where nothing else fits.
  explicit Table(std::string default_function) : default_function_(std::move(default_function)) {}

  void Set(const v1::Route& route);
  void Remove(const std::string& key);
  /// Drops every function that was not Set since MarkAll (the end of an opening, contracts.md).
  void MarkAll();
  void DropMarked();

  /// null where there is none.
  std::shared_ptr<const v1::Route> Find(const std::string& key) const;
  /// `host` is the Host field, with or without port; `target` the request target.
  std::optional<Match> Resolve(std::string_view host, std::string_view target) const;

 private:
  std::string default_function_;
  std::map<std::string, std::shared_ptr<const v1::Route>> routes_;
  // Lower case host -> keys: for a moment more than one, while a host changes hands.
  std::map<std::string, std::set<std::string>> by_host_;
  std::set<std::string> marked_;
};

}  // namespace wsf::route
