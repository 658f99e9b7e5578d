// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/json/read.h"

namespace wsf::api {
namespace {

std::pair<std::string, std::string> KeyOf(const Json& object) {
  const Json& metadata = json::Members(object, "metadata");
  return {json::Text(metadata, "namespace"), json::Text(metadata, "name")};
}

}  // namespace

std::string ToToken(const Place& place) {
  return absl::WebSafeBase64Escape(
      Json{{"v", place.version}, {"in", place.ns}, {"at", place.name}}.dump());
}

std::optional<Place> FromToken(const std::string& token) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(token, &text)) return std::nullopt;
  const Json json = Json::parse(text, nullptr, false);
  const std::int64_t version = json::NumberOr(-1, json, "v");
  if (version < 0) return std::nullopt;
  return Place{static_cast<std::uint64_t>(version), json::Text(json, "in"), json::Text(json, "at")};
}

Page MakePage(std::vector<Store::Object> all, const std::optional<Place>& from, std::size_t limit,
              std::uint64_t version) {
  Page page;
  page.version = from ? from->version : version;
  if (from) {
    const std::pair<std::string, std::string> last = {from->ns, from->name};
    std::erase_if(all, [&](const Store::Object& each) { return KeyOf(*each) <= last; });
  }
  if (limit > 0 && all.size() > limit) {
    page.remaining = all.size() - limit;
    all.resize(limit);
    const auto [ns, name] = KeyOf(*all.back());
    page.more = ToToken({page.version, ns, name});
  }
  page.objects = std::move(all);
  return page;
}

}  // namespace wsf::api
