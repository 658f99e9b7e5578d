// SPDX-License-Identifier: Apache-2.0
#include "common/spec/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

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

// Knows where the last document began.
class Starts : public YAML::EventHandler {
 public:
  int line() const { return line_; }
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int line_ = 0;
};

// yaml-cpp 0.7 takes nothing of what cannot begin a document, as in ",a", and goes on with it for
// ever. A document has a line of its own, if it is not the first.
absl::Status CheckEnds(const std::string& text) {
  const auto most = std::ranges::count(text, '\n') + 2;
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Starts starts;
  for (std::ptrdiff_t documents = 0; parser.HandleNextDocument(starts); ++documents) {
    if (documents < most) continue;
    return absl::InvalidArgumentError(absl::StrCat("line ", starts.line(), ": this is no YAML"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Json>> ParseYaml(const std::string& text) {
  std::vector<Json> documents;
  try {
    if (absl::Status ends = CheckEnds(text); !ends.ok()) return ends;
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      if (!node.IsNull()) documents.push_back(Converter().Convert(node, 0));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return documents;
}

}  // namespace wsf::spec
