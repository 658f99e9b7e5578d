// SPDX-License-Identifier: Apache-2.0
#include "common/spec/function.h"

#include <cmath>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/json/read.h"
#include "common/spec/crd.h"
#include "common/spec/rules.h"
#include "common/spec/schema.h"

namespace wsf::spec {
namespace {

// Takes what has the right type: what has not is an error already, and a function with errors is
// not run.
template <typename Value>
void Take(const Json& object, const char* name, Value* value) {
  const Json& found = json::At(object, name);
  if constexpr (std::is_same_v<Value, bool>) {
    if (found.is_boolean()) *value = json::AsFlag(found);
  } else if constexpr (std::is_integral_v<Value>) {
    *value = static_cast<Value>(json::AsNumber(found, static_cast<std::int64_t>(*value)));
  } else {
    *value = json::AsText(found, *value);
  }
}

void Take(const Json& object, const char* name, std::vector<std::string>* value) {
  if (json::At(object, name).is_array()) *value = json::Texts(object, name);
}

void Take(const Json& object, const char* name, Json::value_t type, Json* value) {
  const Json& found = json::At(object, name);
  if (found.type() == type) *value = found;
}

struct ProfileLimits {
  std::uint32_t idle_timeout_seconds;
  std::uint64_t max_message_bytes;
  std::uint64_t bytes_per_second;
  std::uint32_t messages_per_second;
};

ProfileLimits LimitsOf(Profile profile) {
  switch (profile) {
    case Profile::kCurrent: return {15, 262144, 131072, 10};
    case Profile::kLegacy2021: return {15, 1048576, 0, 0};
    case Profile::kOpen: return {0, 16777216, 0, 0};
  }
  return {};
}

Profile ProfileOf(const Json& limits) {
  std::string name;
  Take(limits, "profile", &name);
  if (name == "legacy2021") return Profile::kLegacy2021;
  return name == "open" ? Profile::kOpen : Profile::kCurrent;
}

bool Is(const Json& object, const char* name, const char* value) {
  std::string text;
  Take(object, name, &text);
  return text == value;
}

void ReadLimits(const Json& limits, FunctionSpec* spec) {
  spec->profile = ProfileOf(limits);
  const ProfileLimits preset = LimitsOf(spec->profile);
  spec->idle_timeout_seconds = preset.idle_timeout_seconds;
  spec->max_message_bytes = preset.max_message_bytes;
  spec->request_bytes_per_second = preset.bytes_per_second;
  spec->requests_per_second = preset.messages_per_second;
  Take(limits, "maxMessageBytes", &spec->max_message_bytes);
  Take(limits, "requestBytesPerSecond", &spec->request_bytes_per_second);
  Take(limits, "requestsPerSecond", &spec->requests_per_second);
  spec->close_on_rate = Is(limits, "onRateExceeded", "Close");
}

void ReadPod(const Json& object, FunctionSpec* spec) {
  Take(object, "image", &spec->image);
  Take(object, "command", &spec->command);
  Take(object, "args", &spec->args);
  Take(object, "workingDir", &spec->working_dir);
  Take(object, "env", Json::value_t::array, &spec->env);
  Take(object, "resources", Json::value_t::object, &spec->resources);
  Take(object, "port", &spec->port);
  Take(object, "readyPath", &spec->ready_path);
  for (const char* name : kPodFields) {
    const auto found = object.find(name);
    if (found != object.end() && !found->is_null()) spec->pod[name] = *found;
  }
}

void ReadSession(const Json& object, FunctionSpec* spec) {
  ReadLimits(json::Members(object, "limits"), spec);
  Take(object, "idleTimeoutSeconds", &spec->idle_timeout_seconds);
  Take(object, "executionTimeoutSeconds", &spec->execution_timeout_seconds);
  Take(object, "initTimeoutSeconds", &spec->init_timeout_seconds);
  Take(object, "handshakeTimeoutSeconds", &spec->handshake_timeout_seconds);
  Take(object, "closeTimeoutSeconds", &spec->close_timeout_seconds);
  const Json& policy = json::Members(object, "closePolicy");
  Take(policy, "emptyCloseIsSuccess", &spec->empty_close_is_success);
  Take(policy, "idleCountsControlFrames", &spec->idle_counts_control_frames);
  spec->abort_on_idle = Is(policy, "idleTimeout", "Abort");
  spec->close_on_execution = Is(policy, "executionTimeout", "Close");
  Take(object, "recordSubprotocol", &spec->record_subprotocol);
}

void ReadFleet(const Json& object, FunctionSpec* spec) {
  Take(object, "instanceConcurrency", &spec->instance_concurrency);
  Take(object, "warmInstances", &spec->warm_instances);
  Take(object, "warmMaxAgeSeconds", &spec->warm_max_age_seconds);
  Take(json::Members(object, "rollout"), "liveSessionSeconds", &spec->live_session_seconds);
  std::int64_t max_instances = -1;
  Take(object, "maxInstances", &max_instances);
  if (max_instances >= 0) spec->max_instances = static_cast<std::uint32_t>(max_instances);
  Take(object, "suspend", &spec->suspend);
  if (Is(object, "eviction", "OnUpgrade")) spec->eviction = Eviction::kOnUpgrade;
  if (Is(object, "eviction", "Never")) spec->eviction = Eviction::kNever;
  Take(json::Members(object, "route"), "hosts", &spec->hosts);
  Take(object, "allowedOrigins", &spec->allowed_origins);
}

// The schema of the CRD, but for what only a cluster demands: on one machine a command runs
// without an image.
const Json& SchemaOfSpec() {
  static const auto* const kSchema = [] {
    auto* const schema = new Json(FunctionSchema()["properties"]["spec"]);
    schema->erase("required");
    return schema;
  }();
  return *kSchema;
}

std::uint64_t Fnv1a(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

}  // namespace

Function ParseFunction(const Json& object) {
  Function function;
  const Json& metadata = json::Members(object, "metadata");
  function.ns = "default";
  Take(metadata, "namespace", &function.ns);
  Take(metadata, "name", &function.name);
  Take(metadata, "uid", &function.uid);
  Take(metadata, "creationTimestamp", &function.created);
  Take(metadata, "generation", &function.generation);
  Json given = json::At(object, "spec");
  if (object.is_object() && given.is_null()) given = Json::object();
  CheckSchema(SchemaOfSpec(), given, "spec", &function.errors);
  const Json spec = Complete(SchemaOfSpec(), given);
  if (function.errors.empty()) {
    CheckRules({{"metadata", {{"name", function.name}}}, {"spec", spec}}, &function.errors);
  }
  if (!spec.is_object()) return function;
  ReadPod(spec, &function.spec);
  ReadSession(spec, &function.spec);
  ReadFleet(spec, &function.spec);
  return function;
}

v1::SessionSettings SettingsOf(const Function& function) {
  const FunctionSpec& spec = function.spec;
  v1::SessionSettings settings;
  settings.set_idle_timeout_seconds(spec.idle_timeout_seconds);
  settings.set_execution_timeout_seconds(spec.execution_timeout_seconds);
  settings.set_handshake_timeout_seconds(spec.handshake_timeout_seconds);
  settings.set_close_timeout_seconds(spec.close_timeout_seconds);
  settings.set_max_message_bytes(spec.max_message_bytes);
  settings.set_request_bytes_per_second(spec.request_bytes_per_second);
  settings.set_requests_per_second(spec.requests_per_second);
  settings.set_on_rate_exceeded(spec.close_on_rate ? v1::RATE_ACTION_CLOSE
                                                   : v1::RATE_ACTION_THROTTLE);
  settings.set_instance_concurrency(spec.instance_concurrency);
  v1::ClosePolicy* policy = settings.mutable_close_policy();
  policy->set_empty_close_is_success(spec.empty_close_is_success);
  policy->set_idle_counts_control_frames(spec.idle_counts_control_frames);
  policy->set_idle_timeout(spec.abort_on_idle ? v1::TIMEOUT_ACTION_ABORT
                                              : v1::TIMEOUT_ACTION_CLOSE);
  policy->set_execution_timeout(spec.close_on_execution ? v1::TIMEOUT_ACTION_CLOSE
                                                        : v1::TIMEOUT_ACTION_ABORT);
  settings.set_generation(function.generation);
  settings.set_record_subprotocol(spec.record_subprotocol);
  return settings;
}

std::string RevisionOf(const Function& function, const std::string& template_version) {
  const FunctionSpec& spec = function.spec;
  const Json shape = {spec.image, spec.command,   spec.args,       spec.working_dir,
                      spec.env,   spec.resources, spec.port,       spec.ready_path,
                      spec.pod,   spec.eviction,  template_version};
  return absl::StrFormat("%s-%06x", function.name, Fnv1a(shape.dump()) & 0xffffff);
}

std::int64_t MemoryLimitBytes(const FunctionSpec& spec) {
  const Json& memory = json::At(spec.resources, "limits", "memory");
  if (memory.is_number_integer()) return json::AsNumber(memory);
  const std::string text = json::AsText(memory);
  struct Unit {
    const char* suffix;
    double bytes;
  };
  for (const Unit unit : {Unit{"Ki", 1024.0}, Unit{"Mi", 1048576.0}, Unit{"Gi", 1073741824.0},
                          Unit{"k", 1e3}, Unit{"M", 1e6}, Unit{"G", 1e9}, Unit{"", 1.0}}) {
    double number = 0;
    if (absl::EndsWith(text, unit.suffix) &&
        absl::SimpleAtod(text.substr(0, text.size() - std::string(unit.suffix).size()), &number)) {
      return std::llround(number * unit.bytes);
    }
  }
  return 0;
}

}  // namespace wsf::spec
