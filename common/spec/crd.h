// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace wsf::spec {

/// deploy/crd/websocketfunctions.wsf.dev.yaml as it was when this program was built.
const std::string& CrdText();
const nlohmann::json& Crd();

/// The schema of a WebSocketFunction in it.
const nlohmann::json& FunctionSchema();

}  // namespace wsf::spec
