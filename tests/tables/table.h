// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/spec/yaml.h"

namespace wsf::tables {

using Json = nlohmann::json;

/// `value` with what stands for something long in full (table.py does the same): {repeat: x, times:
/// n} is a text, {list: x, times: n} the list x0, x1 ....
inline Json InFull(Json value) {
  if (value.is_object() && value.contains("times")) {
    Json list = Json::array();
    std::string text;
    for (int i = 0; i < value["times"].get<int>(); ++i) {
      if (value.contains("repeat"))
        text += value["repeat"].get<std::string>();
      else
        list.push_back(value["list"].get<std::string>() + std::to_string(i));
    }
    return value.contains("repeat") ? Json(text) : list;
  }
  if (value.is_structured()) {
    for (Json& each : value) each = InFull(std::move(each));
  }
  return value;
}

/// The rows of tests/tables/`name`, in full.
inline std::vector<Json> Read(const std::string& name) {
  std::ifstream file(WSF_SOURCE_DIR "/tests/tables/" + name);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return InFull(spec::ParseYaml(text).value().at(0)).get<std::vector<Json>>();
}

}  // namespace wsf::tables
