// SPDX-License-Identifier: Apache-2.0
#include "common/spec/crd.h"

#include "common/spec/yaml.h"

namespace wsf::spec {

const nlohmann::json& Crd() {
  static const auto* const kCrd = new nlohmann::json(ParseYaml(CrdText()).value().front());
  return *kCrd;
}

const nlohmann::json& FunctionSchema() {
  return Crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
}

}  // namespace wsf::spec
