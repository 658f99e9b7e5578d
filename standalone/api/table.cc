// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/table.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "common/spec/crd.h"
#include "standalone/api/checks.h"

namespace wsf::api {
namespace {

using Cell = std::function<Json(const Json& object)>;

struct Column {
  std::string name;
  std::string type;
  int priority;  // 1: only with -o wide
  Cell cell;
  std::string description{};
};

Cell Value(const char* pointer) {
  return [pointer](const Json& object) {
    const Json& value = json::Lookup(object, pointer);
    return value.is_null() ? Json("") : value;
  };
}

// What a column of the definition shows: `.a.b`, or `.a[?(@.type=="X")].b`, a condition's.
Json AtJsonPath(const Json& object, const std::string& path) {
  static constexpr std::string_view kOpen = "[?(@.type==\"";
  static constexpr std::string_view kClose = "\")].";
  const std::size_t open = path.find(kOpen);
  if (open == std::string::npos) {
    return json::Lookup(object, absl::StrReplaceAll(path, {{".", "/"}}));
  }
  const std::size_t close = path.find(kClose, open);
  const std::string type = path.substr(open + kOpen.size(), close - open - kOpen.size());
  const Json conditions = AtJsonPath(object, path.substr(0, open));
  for (const Json& each : json::AsItems(conditions)) {
    if (json::Text(each, "type") == type) return json::At(each, path.substr(close + kClose.size()));
  }
  return nullptr;
}

std::string Age(const std::string& since, std::int64_t now) {
  const std::int64_t seconds = (now - ParseRfc3339(since)) / 1'000'000;
  if (since.empty()) return "<unknown>";
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 7200) return absl::StrCat(seconds / 60, "m");
  if (seconds < 172800) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

// "2/2": of the server and the relay, how many run.
Json PodReady(const Json& object) {
  int ready = 0;
  for (const char* list : {"/status/initContainerStatuses", "/status/containerStatuses"}) {
    for (const Json& each : json::AsItems(json::Lookup(object, list))) {
      ready += json::Flag(each, "ready") ? 1 : 0;
    }
  }
  return absl::StrCat(ready, "/2");
}

Json PodStatus(const Json& object) {
  if (object["metadata"].contains("deletionTimestamp")) return "Terminating";
  const Json& phase = json::Lookup(object, "/status/phase");
  return phase.is_null() ? Json("Pending") : phase;
}

Json EventObject(const Json& event) {
  const Json& object = json::Members(event, "involvedObject");
  return absl::AsciiStrToLower(json::Text(object, "kind")) + "/" + json::Text(object, "name");
}

// Those of the resource's definition.
std::vector<Column> FunctionColumns(std::int64_t now) {
  std::vector<Column> columns;
  for (const Json& each :
       json::Items(spec::Crd()["spec"]["versions"][0], "additionalPrinterColumns")) {
    const std::string path = json::Text(each, "jsonPath");
    const bool is_date = json::Text(each, "type") == "date";
    columns.push_back(
        {json::Text(each, "name"), json::Text(each, "type"),
         static_cast<int>(json::Number(each, "priority")),
         [path, is_date, now](const Json& object) {
           const Json value = AtJsonPath(object, path);
           return is_date ? Json(Age(json::AsText(value), now)) : value;
         },
         json::TextOr("Custom resource definition column (in JSONPath format): " + path, each,
                      "description")});
  }
  return columns;
}

std::vector<Column> ColumnsOf(const Resource& resource, std::int64_t now) {
  const Column name = {"Name", "string", 0, Value("/metadata/name")};
  const Column age = {"Age", "string", 0, [now](const Json& object) {
                        return Json(Age(json::Text(object, "metadata", "creationTimestamp"), now));
                      }};
  const std::string plural = resource.plural;
  if (plural == "websocketfunctions") {
    std::vector<Column> columns = FunctionColumns(now);
    columns.insert(columns.begin(), name);
    return columns;
  }
  if (plural == "pods") {
    return {name,
            {"Ready", "string", 0, PodReady},
            {"Status", "string", 0, PodStatus},
            {"IP", "string", 1, Value("/status/podIP")},
            age};
  }
  if (plural == "events") {
    return {{"Last Seen", "string", 0,
             [now](const Json& event) { return Age(json::Text(event, "lastTimestamp"), now); }},
            {"Type", "string", 0, Value("/type")},
            {"Reason", "string", 0, Value("/reason")},
            {"Object", "string", 0, EventObject},
            {"Subobject", "string", 1, Value("/involvedObject/fieldPath")},
            {"Source", "string", 1, Value("/source/component")},
            {"Message", "string", 0, Value("/message")},
            {"First Seen", "string", 1,
             [now](const Json& event) { return Age(json::Text(event, "firstTimestamp"), now); }},
            {"Count", "string", 1, Value("/count")},
            {"Name", "string", 1, Value("/metadata/name")}};
  }
  if (plural == "namespaces") return {name, {"Status", "string", 0, Value("/status/phase")}, age};
  if (plural == "leases") {
    return {name, {"Holder", "string", 0, Value("/spec/holderIdentity")}, age};
  }
  if (plural == "secrets") {
    return {name,
            {"Type", "string", 0, Value("/type")},
            {"Data", "string", 0,
             [](const Json& secret) { return json::Members(secret, "data").size(); }},
            age};
  }
  return {name, age};
}

// Of autoscaling/v1 Scale.
std::vector<Column> ScaleColumns(std::int64_t now) {
  const std::vector<Column> plain = ColumnsOf(*FindResource("/api/v1", "namespaces"), now);
  return {plain.front(),
          {"Desired", "integer", 0,
           [](const Json& scale) { return json::At(scale, "spec", "replicas"); }},
          {"Available", "integer", 0, Value("/status/replicas")},
          {"Age", "date", 0, plain.back().cell}};
}

}  // namespace

namespace {

Json Beside(const Json& object, Included include) {
  if (include == Included::kNone) return nullptr;
  if (include == Included::kObject) return object;
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", object["metadata"]}};
}

Json Fill(const std::vector<Column>& columns, const std::vector<Store::Object>& objects,
          const Json& metadata, Included include) {
  Json definitions = Json::array();
  for (const Column& column : columns) {
    definitions.push_back({{"name", column.name},
                           {"type", column.type},
                           {"format", column.name == "Name" ? "name" : ""},
                           {"description", column.description},
                           {"priority", column.priority}});
  }
  Json rows = Json::array();
  for (const Store::Object& object : objects) {
    Json cells = Json::array();
    for (const Column& column : columns) cells.push_back(column.cell(*object));
    rows.push_back({{"cells", cells}, {"object", Beside(*object, include)}});
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", metadata},
          {"columnDefinitions", definitions},
          {"rows", rows}};
}

}  // namespace

Json MakeTable(const Resource& resource, const std::vector<Store::Object>& objects,
               const Json& metadata, std::int64_t now_unix_micros, Included include) {
  return Fill(ColumnsOf(resource, now_unix_micros), objects, metadata, include);
}

Json MakeScaleTable(const Store::Object& scale, std::int64_t now_unix_micros) {
  return Fill(ScaleColumns(now_unix_micros), {scale},
              {{"resourceVersion", json::Text(*scale, "metadata", "resourceVersion")}},
              Included::kMetadata);
}

Selector::Selector(const std::string& text) {
  // A comma within parentheses parts values, not terms.
  std::string term;
  bool within = false;
  for (const char c : text + ",") {
    within = c == '(' || (within && c != ')');
    if (c != ',' || within) {
      term += c;
      continue;
    }
    const std::string stripped(absl::StripAsciiWhitespace(term));
    if (!stripped.empty()) terms_.push_back(Parse(stripped));
    term.clear();
  }
}

Selector::Term Selector::Parse(const std::string& text) {
  if (text.back() == ')') {
    const std::size_t open = text.find('(');
    std::vector<std::string> words =
        absl::StrSplit(text.substr(0, open), ' ', absl::SkipWhitespace());
    std::vector<std::string> values = absl::StrSplit(text.substr(open + 1, text.size() - open - 2),
                                                     absl::ByAnyChar(", "), absl::SkipEmpty());
    const bool is_not = words.size() > 1 && words[1] == "notin";
    return {words.empty() ? "" : words[0], is_not ? Kind::kNotIn : Kind::kIn, std::move(values)};
  }
  const std::size_t differs = text.find("!=");
  const std::size_t equals = text.find('=');
  if (differs != std::string::npos) {
    return {text.substr(0, differs), Kind::kNotIn, {text.substr(differs + 2)}};
  }
  if (equals != std::string::npos) {
    const bool doubled = text.compare(equals, 2, "==") == 0;
    return {text.substr(0, equals), Kind::kIn, {text.substr(equals + (doubled ? 2 : 1))}};
  }
  if (text[0] == '!') return {text.substr(1), Kind::kMissing, {}};
  return {text, Kind::kExists, {}};
}

bool Selector::IsOfLabels() const {
  return std::ranges::all_of(terms_, [](const Term& term) {
    return IsQualifiedName(term.key) && std::ranges::all_of(term.values, IsLabelValue);
  });
}

std::string Selector::FirstKeyBut(std::span<const std::string_view> names) const {
  const auto other = std::ranges::find_if(terms_, [&names](const Term& term) {
    return std::ranges::find(names, term.key) == names.end();
  });
  return other == terms_.end() ? "" : other->key;
}

bool Selector::Holds(const Term& term, const std::string* value) {
  const auto is_one = [&] {
    return std::find(term.values.begin(), term.values.end(), *value) != term.values.end();
  };
  switch (term.kind) {
    case Kind::kIn: return value != nullptr && is_one();
    case Kind::kNotIn: return value == nullptr || !is_one();
    case Kind::kExists: return value != nullptr;
    case Kind::kMissing: return value == nullptr;
  }
  return false;
}

bool Selector::MatchesLabels(const Json& object) const {
  const Json& labels = json::Members(object, "metadata", "labels");
  for (const Term& term : terms_) {
    const auto found = labels.find(term.key);
    const std::string value = found == labels.end() ? "" : json::AsText(*found);
    if (!Holds(term, found == labels.end() ? nullptr : &value)) return false;
  }
  return true;
}

bool Selector::MatchesFields(const Json& object) const {
  for (const Term& term : terms_) {
    const std::string path = "/" + absl::StrReplaceAll(term.key, {{".", "/"}});
    const std::string value = json::AsText(json::Lookup(object, path));
    if (!Holds(term, &value)) return false;
  }
  return true;
}

}  // namespace wsf::api
