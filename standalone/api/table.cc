// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/table.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/time.h"
#include "common/json/read.h"
#include "standalone/api/checks.h"

namespace wsf::api {
namespace {

using Cell = std::function<Json(const Json& object)>;

struct Column {
  const char* name;
  const char* type;
  int priority;  // 1: only with -o wide
  Cell cell;
};

Cell Value(const char* pointer) {
  return [pointer](const Json& object) {
    const Json& value = json::Lookup(object, pointer);
    return value.is_null() ? Json("") : value;
  };
}

Cell Number(const char* pointer) {
  return [pointer](const Json& object) {
    const Json& value = json::Lookup(object, pointer);
    return value.is_null() ? Json(0) : value;
  };
}

Cell ReadyCondition(const char* field) {
  return [field](const Json& object) {
    for (const Json& each : json::Items(object, "status", "conditions")) {
      if (json::Text(each, "type") == "Ready") return Json(json::Text(each, field));
    }
    return Json("");
  };
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

std::vector<Column> ColumnsOf(const Resource& resource, std::int64_t now) {
  std::vector<Column> columns = {{"Name", "string", 0, Value("/metadata/name")}};
  const std::string plural = resource.plural;
  if (plural == "websocketfunctions") {
    columns.insert(columns.end(), {{"URL", "string", 0, Value("/status/url")},
                                   {"Live", "integer", 0, Number("/status/live")},
                                   {"Free", "integer", 0, Number("/status/free")},
                                   {"Waiting", "integer", 0, Number("/status/waiting")},
                                   {"Ready", "string", 0, ReadyCondition("status")},
                                   {"Reason", "string", 0, ReadyCondition("reason")},
                                   {"Sessions", "integer", 1, Number("/status/sessions/total")},
                                   {"Failed", "integer", 1, Number("/status/sessions/failed")},
                                   {"Image", "string", 1, Value("/spec/image")},
                                   {"Revision", "string", 1, Value("/status/revision")}});
  } else if (plural == "pods") {
    columns.insert(columns.end(), {{"Ready", "string", 0, PodReady},
                                   {"Status", "string", 0, PodStatus},
                                   {"IP", "string", 1, Value("/status/podIP")}});
  } else if (plural == "events") {
    columns.insert(columns.end(), {{"Type", "string", 0, Value("/type")},
                                   {"Reason", "string", 0, Value("/reason")},
                                   {"Object", "string", 0, Value("/involvedObject/name")},
                                   {"Message", "string", 0, Value("/message")}});
  }
  columns.push_back({"Age", "string", 0, [now](const Json& object) {
                       return Json(Age(json::Text(object, "metadata", "creationTimestamp"), now));
                     }});
  return columns;
}

}  // namespace

Json MakeTable(const Resource& resource, const std::vector<Store::Object>& objects,
               const Json& metadata, std::int64_t now_unix_micros) {
  const std::vector<Column> columns = ColumnsOf(resource, now_unix_micros);
  Json definitions = Json::array();
  for (const Column& column : columns) {
    definitions.push_back({{"name", column.name},
                           {"type", column.type},
                           {"format", std::string_view(column.name) == "Name" ? "name" : ""},
                           {"description", ""},
                           {"priority", column.priority}});
  }
  Json rows = Json::array();
  for (const Store::Object& object : objects) {
    Json cells = Json::array();
    for (const Column& column : columns) cells.push_back(column.cell(*object));
    rows.push_back({{"cells", cells},
                    {"object",
                     {{"kind", "PartialObjectMetadata"},
                      {"apiVersion", "meta.k8s.io/v1"},
                      {"metadata", (*object)["metadata"]}}}});
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", metadata},
          {"columnDefinitions", definitions},
          {"rows", rows}};
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

bool Selector::IsOfFields(std::initializer_list<std::string_view> names) const {
  return std::ranges::all_of(terms_, [&names](const Term& term) {
    return std::ranges::find(names, term.key) != names.end();
  });
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
