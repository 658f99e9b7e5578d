// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "standalone/api/store.h"

namespace wsf::api {

/// Where a list goes on (`continue`).
struct Place {
  std::uint64_t version = 0;  ///< of the first page: a watch from there tells what changed since
  std::string ns, name;       ///< of the last object told
};

/// An opaque text, and what it says; nothing for a text that is none of ours.
std::string ToToken(const Place& place);
std::optional<Place> FromToken(const std::string& token);

/// One page of a list.
struct Page {
  std::vector<Store::Object> objects;
  std::uint64_t version = 0;
  std::string more;           ///< token of the next page, "" = the last one
  std::size_t remaining = 0;  ///< behind this page
};

/// Of `all`, which are in the order of namespace and name, those behind `from`, at most `limit`;
/// 0 = all.
Page MakePage(std::vector<Store::Object> all, const std::optional<Place>& from, std::size_t limit,
              std::uint64_t version);

}  // namespace wsf::api
