// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/protobuf.h"

#include <string_view>

#include "absl/strings/escaping.h"
#include "wsf/v1/kubernetes.pb.h"

namespace wsf::api {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic("k8s\0", 4);

template <typename Map>
void Put(const Map& map, const char* name, Json* object) {
  for (const auto& [key, value] : map) (*object)[name][key] = value;
}

Json MetadataOf(const v1::KubernetesMetadata& from) {
  Json metadata = {{"name", from.name()}};
  if (!from.namespace_().empty()) metadata["namespace"] = from.namespace_();
  Put(from.labels(), "labels", &metadata);
  Put(from.annotations(), "annotations", &metadata);
  return metadata;
}

}  // namespace

std::optional<Json> FromProtobuf(const std::string& body) {
  v1::KubernetesEnvelope envelope;
  if (body.substr(0, kMagic.size()) != kMagic ||
      !envelope.ParseFromString(body.substr(kMagic.size()))) {
    return std::nullopt;
  }
  Json object = {{"apiVersion", envelope.type().api_version()}, {"kind", envelope.type().kind()}};
  if (envelope.type().kind() == "Namespace") {
    v1::KubernetesNamespace from;
    if (!from.ParseFromString(envelope.object())) return std::nullopt;
    object["metadata"] = MetadataOf(from.metadata());
    return object;
  }
  if (envelope.type().kind() == "Secret") {
    v1::KubernetesSecret from;
    if (!from.ParseFromString(envelope.object())) return std::nullopt;
    object["metadata"] = MetadataOf(from.metadata());
    for (const auto& [key, value] : from.data()) object["data"][key] = absl::Base64Escape(value);
    object["type"] = from.type();
    return object;
  }
  return std::nullopt;
}

}  // namespace wsf::api
