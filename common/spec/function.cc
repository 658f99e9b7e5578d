// SPDX-License-Identifier: Apache-2.0
#include "common/spec/function.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace wsf::spec {
namespace {

constexpr std::size_t kMaxNameBytes = 40;
constexpr int kRelayPort = 17009;

// Reads the fields of one object and notes what does not fit.
class Reader {
 public:
  Reader(const Json& object, std::string path, std::vector<std::string>* errors)
      : object_(object.is_object() ? object : Json::object()),
        path_(std::move(path)),
        errors_(errors) {}

  template <typename Number>
  void Integer(const char* name, std::int64_t low, std::int64_t high, Number* value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_number_integer() || *found < low || *found > high) {
      return Complain(name, absl::StrCat("must be an integer from ", low, " to ", high));
    }
    *value = static_cast<Number>(found->get<std::int64_t>());
  }
  void Bool(const char* name, bool* value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_boolean()) return Complain(name, "must be true or false");
    *value = found->get<bool>();
  }
  void Text(const char* name, std::string* value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_string()) return Complain(name, "must be a string");
    *value = found->get<std::string>();
  }
  void Texts(const char* name, std::vector<std::string>* value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    const bool strings =
        found->is_array() &&
        std::all_of(found->begin(), found->end(), [](const Json& e) { return e.is_string(); });
    if (!strings) return Complain(name, "must be a list of strings");
    *value = found->get<std::vector<std::string>>();
  }
  /// `first` or `second`; sets *is_second.
  void Choice(const char* name, const char* first, const char* second, bool* is_second) {
    std::string text = *is_second ? second : first;
    Text(name, &text);
    if (text != first && text != second) {
      return Complain(name, absl::StrCat("must be ", first, " or ", second));
    }
    *is_second = text == second;
  }
  void Any(const char* name, Json* value) {
    if (const Json* found = Find(name)) *value = *found;
  }
  Json Object(const char* name) {
    const Json* found = Find(name);
    if (found == nullptr) return Json::object();
    if (found->is_object()) return *found;
    Complain(name, "must be an object");
    return Json::object();
  }
  /// Call it last: what was never asked for is a misspelt field.
  void RefuseUnknown(std::initializer_list<const char*> also_known = {}) {
    for (const char* each : also_known) known_.insert(each);
    for (const auto& [name, value] : object_.items()) {
      if (known_.count(name) == 0) Complain(name.c_str(), "is no field; see the reference");
    }
  }
  void Complain(const char* name, const std::string& what) {
    errors_->push_back(path_ + name + " " + what);
  }

 private:
  const Json* Find(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  const Json object_;
  std::string path_;
  std::vector<std::string>* errors_;
  std::set<std::string> known_;
};

// An entry of `env` as in a pod: a name with a value, or with where it comes from.
bool IsVariable(const Json& entry) {
  if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) return false;
  const std::string name = entry["name"];
  const bool named = !name.empty() && name.find('=') == std::string::npos;
  const bool valued = !entry.contains("value") || entry["value"].is_string();
  const bool sourced = !entry.contains("valueFrom") || entry["valueFrom"].is_object();
  return named && valued && sourced;
}

void ReadEnv(Reader* reader, FunctionSpec* spec) {
  Json env = Json::array();
  reader->Any("env", &env);
  if (!env.is_array() || !std::all_of(env.begin(), env.end(), IsVariable)) {
    return reader->Complain("env", "must be a list of {name, value}, both strings (quote numbers)");
  }
  spec->env = std::move(env);
}

bool IsMapOfQuantities(const Json& map) {
  return map.is_object() && std::all_of(map.begin(), map.end(), [](const Json& value) {
           return value.is_string() || value.is_number();
         });
}

void ReadResources(Reader* reader, FunctionSpec* spec) {
  const Json resources = reader->Object("resources");
  for (const auto& [name, map] : resources.items()) {
    if ((name != "limits" && name != "requests") || !IsMapOfQuantities(map)) {
      return reader->Complain("resources", "must be {limits, requests} with quantities");
    }
  }
  spec->resources = resources;
  const Json limits = resources.value("limits", Json::object());
  if (limits.contains("memory") && MemoryLimitBytes(*spec) <= 0) {
    reader->Complain("resources.limits.memory", "must be a quantity like 256Mi");
    spec->resources = Json::object();
  }
}

struct ProfileLimits {
  std::uint32_t idle_timeout_seconds;
  std::int64_t idle_low;
  std::int64_t idle_high;
  std::uint64_t max_message_bytes;
  std::uint64_t bytes_per_second;
  std::uint32_t messages_per_second;
};

ProfileLimits LimitsOf(Profile profile) {
  switch (profile) {
    case Profile::kCurrent: return {15, 10, 7200, 262144, 131072, 10};
    case Profile::kLegacy2021: return {15, 1, 600, 1048576, 0, 0};
    case Profile::kOpen: return {0, 1, 7200, 16777216, 0, 0};
  }
  return {};
}

Profile ReadProfile(Reader& limits) {
  std::string name = "current";
  limits.Text("profile", &name);
  if (name == "legacy2021") return Profile::kLegacy2021;
  if (name == "open") return Profile::kOpen;
  if (name != "current") limits.Complain("profile", "must be current, legacy2021 or open");
  return Profile::kCurrent;
}

// The greatest values that an administrator may allow; per-cluster maxima come with the chart.
constexpr std::int64_t kMaxMessageBytes = std::int64_t{1} << 30;
constexpr std::int64_t kMaxRate = std::int64_t{1} << 30;

void ReadLimits(const Json& object, FunctionSpec* spec, std::vector<std::string>* errors) {
  Reader limits(object, "spec.limits.", errors);
  spec->profile = ReadProfile(limits);
  const ProfileLimits preset = LimitsOf(spec->profile);
  spec->idle_timeout_seconds = preset.idle_timeout_seconds;
  spec->max_message_bytes = preset.max_message_bytes;
  spec->request_bytes_per_second = preset.bytes_per_second;
  spec->requests_per_second = preset.messages_per_second;
  limits.Integer("maxMessageBytes", 1, kMaxMessageBytes, &spec->max_message_bytes);
  limits.Integer("requestBytesPerSecond", 0, kMaxRate, &spec->request_bytes_per_second);
  limits.Integer("requestsPerSecond", 0, kMaxRate, &spec->requests_per_second);
  limits.Choice("onRateExceeded", "Throttle", "Close", &spec->close_on_rate);
  limits.RefuseUnknown();
}

void ReadTimeouts(Reader* reader, FunctionSpec* spec) {
  const ProfileLimits preset = LimitsOf(spec->profile);
  std::int64_t idle = spec->idle_timeout_seconds;
  reader->Integer("idleTimeoutSeconds", 0, preset.idle_high, &idle);
  if (idle != 0 && idle < preset.idle_low) {
    reader->Complain("idleTimeoutSeconds",
                     absl::StrCat("must be 0 (off) or ", preset.idle_low, " to ", preset.idle_high,
                                  " with this limits.profile"));
  }
  spec->idle_timeout_seconds = static_cast<std::uint32_t>(idle);
  reader->Integer("executionTimeoutSeconds", 1, 86400, &spec->execution_timeout_seconds);
  reader->Integer("initTimeoutSeconds", 3, 300, &spec->init_timeout_seconds);
  reader->Integer("handshakeTimeoutSeconds", 1, 300, &spec->handshake_timeout_seconds);
  reader->Integer("closeTimeoutSeconds", 1, 60, &spec->close_timeout_seconds);
  if (spec->execution_timeout_seconds < spec->idle_timeout_seconds) {
    reader->Complain("executionTimeoutSeconds", "must not be below idleTimeoutSeconds");
  }
}

void ReadSpec(const Json& object, FunctionSpec* spec, std::vector<std::string>* errors) {
  Reader reader(object, "spec.", errors);
  std::string protocol = "WS";
  reader.Text("protocol", &protocol);
  if (protocol != "WS") reader.Complain("protocol", "must be WS");
  reader.Text("image", &spec->image);
  reader.Texts("command", &spec->command);
  reader.Texts("args", &spec->args);
  reader.Text("workingDir", &spec->working_dir);
  ReadEnv(&reader, spec);
  ReadResources(&reader, spec);
  reader.Integer("port", 1, 65535, &spec->port);
  if (spec->port == kRelayPort) reader.Complain("port", "17009 is the relay's; take another");
  reader.Text("readyPath", &spec->ready_path);
  if (!spec->ready_path.empty() &&
      (!absl::StartsWith(spec->ready_path, "/") || spec->ready_path.size() > 1024)) {
    reader.Complain("readyPath", "must start with / and have at most 1024 characters");
  }
  ReadLimits(reader.Object("limits"), spec, errors);
  ReadTimeouts(&reader, spec);
  reader.Integer("instanceConcurrency", 1, 100, &spec->instance_concurrency);
  reader.Integer("warmInstances", 0, 100000, &spec->warm_instances);
  reader.Integer("warmMaxAgeSeconds", 60, 432000, &spec->warm_max_age_seconds);
  Reader rollout(reader.Object("rollout"), "spec.rollout.", errors);
  rollout.Integer("liveSessionSeconds", 0, 86400, &spec->live_session_seconds);
  rollout.RefuseUnknown();
  std::int64_t max_instances = -1;
  reader.Integer("maxInstances", 0, 1000000, &max_instances);
  if (max_instances >= 0) spec->max_instances = static_cast<std::uint32_t>(max_instances);
  if (spec->max_instances && spec->warm_instances > *spec->max_instances) {
    reader.Complain("warmInstances", "must not be above maxInstances");
  }
  reader.Bool("suspend", &spec->suspend);
  Reader policy(reader.Object("closePolicy"), "spec.closePolicy.", errors);
  policy.Bool("emptyCloseIsSuccess", &spec->empty_close_is_success);
  policy.Bool("idleCountsControlFrames", &spec->idle_counts_control_frames);
  policy.Choice("idleTimeout", "Close", "Abort", &spec->abort_on_idle);
  policy.Choice("executionTimeout", "Abort", "Close", &spec->close_on_execution);
  policy.RefuseUnknown();
  Reader route(reader.Object("route"), "spec.route.", errors);
  route.Texts("hosts", &spec->hosts);
  if (spec->hosts.size() > 16) route.Complain("hosts", "has more than 16 entries");
  route.RefuseUnknown();
  reader.Texts("allowedOrigins", &spec->allowed_origins);
  if (spec->allowed_origins.size() > 64) reader.Complain("allowedOrigins", "has more than 64");
  // Fields of kubernetes.md section 1 that a cluster's pods use.
  reader.RefuseUnknown({"envFrom", "volumes", "volumeMounts", "imagePullPolicy", "imagePullSecrets",
                        "serviceAccountName", "runtimeClassName", "priorityClassName",
                        "nodeSelector", "tolerations", "topologySpreadConstraints", "runAsUser",
                        "runAsGroup", "fsGroup", "labels", "annotations"});
}

std::uint64_t Fnv1a(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

}  // namespace

Function ParseFunction(const Json& object) {
  Function function;
  Reader root(object, "", &function.errors);
  Reader metadata(root.Object("metadata"), "metadata.", &function.errors);
  function.ns = "default";
  metadata.Text("namespace", &function.ns);
  metadata.Text("name", &function.name);
  metadata.Text("uid", &function.uid);
  metadata.Text("creationTimestamp", &function.created);
  metadata.Integer("generation", 0, std::numeric_limits<std::int64_t>::max(), &function.generation);
  if (function.name.size() > kMaxNameBytes) {
    metadata.Complain("name", "has more than 40 characters");
  }
  ReadSpec(root.Object("spec"), &function.spec, &function.errors);
  return function;
}

void CheckMaxima(const Maxima& maxima, Function* function) {
  const auto check = [&](const char* name, std::uint64_t value, std::uint64_t most) {
    if (most == 0 || (value > 0 && value <= most)) return;
    function->errors.push_back(absl::StrCat("spec.limits.", name, " must be from 1 to ", most,
                                            ", which the administrator grants at most"));
  };
  check("maxMessageBytes", function->spec.max_message_bytes, maxima.message_bytes);
  check("requestBytesPerSecond", function->spec.request_bytes_per_second,
        maxima.request_bytes_per_second);
  check("requestsPerSecond", function->spec.requests_per_second, maxima.requests_per_second);
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
  return settings;
}

std::string RevisionOf(const Function& function, const std::string& template_version) {
  const FunctionSpec& spec = function.spec;
  const Json shape = {spec.image,     spec.command, spec.args,       spec.working_dir, spec.env,
                      spec.resources, spec.port,    spec.ready_path, template_version};
  return absl::StrFormat("%s-%06x", function.name, Fnv1a(shape.dump()) & 0xffffff);
}

std::int64_t MemoryLimitBytes(const FunctionSpec& spec) {
  const Json limits = spec.resources.value("limits", Json::object());
  const auto memory = limits.find("memory");
  if (memory == limits.end()) return 0;
  if (memory->is_number_integer()) return memory->get<std::int64_t>();
  if (!memory->is_string()) return 0;
  const std::string text = memory->get<std::string>();
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
