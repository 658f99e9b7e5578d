// SPDX-License-Identifier: Apache-2.0
#include "common/spec/yaml.h"

#include <yaml-cpp/yaml.h>

#include "absl/strings/numbers.h"

namespace wsf::spec {
namespace {

using Json = nlohmann::json;

// YAML 1.2 core schema: a plain scalar is null, a boolean, a number or a string.
Json Scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  std::int64_t integer = 0;
  if (absl::SimpleAtoi(text, &integer)) return integer;
  double number = 0;
  const bool numeric = text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (numeric && absl::SimpleAtod(text, &number)) return number;
  return text;
}

// Aliases make a document a graph: these bounds end a cycle and a bomb.
constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 100'000;

class Converter {
 public:
  Json Convert(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxNodes) {
      throw YAML::RepresentationException(node.Mark(), "the document is too deep or too large");
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar: return Scalar(node);
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& each : node) list.push_back(Convert(each, depth + 1));
        return list;
      }
      case YAML::NodeType::Map: {
        Json object = Json::object();
        for (const auto& each : node) {
          object[each.first.Scalar()] = Convert(each.second, depth + 1);
        }
        return object;
      }
      default: return nullptr;
    }
  }

 private:
  int nodes_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Json>> ParseYaml(const std::string& text) {
  std::vector<Json> documents;
  try {
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      if (!node.IsNull()) documents.push_back(Converter().Convert(node, 0));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return documents;
}

}  // namespace wsf::spec
