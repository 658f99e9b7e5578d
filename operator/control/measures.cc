// SPDX-License-Identifier: Apache-2.0
#include "operator/control/measures.h"

#include <chrono>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/impossible.h"

namespace wsf::control {
namespace {

using Seconds = std::chrono::duration<double>;

std::string Label(const char* name, const std::string& value) {
  return absl::StrCat(name, "=\"", value, "\"");
}

std::string Labels(const std::string& ns, const std::string& function) {
  return absl::StrCat(Label("namespace", ns), ",", Label("function", function));
}

}  // namespace

std::string ResourceOf(const std::string& path) {
  const std::string plain = path.substr(0, path.find('?'));
  std::vector<std::string> parts = absl::StrSplit(plain, '/', absl::SkipEmpty());
  // api/VERSION or apis/GROUP/VERSION, then namespaces/NAME, then the resource, name, subresource.
  std::size_t at = !parts.empty() && parts[0] == "api" ? 2 : 3;
  if (at + 2 < parts.size() && parts[at] == "namespaces") at += 2;
  if (at >= parts.size()) return "";
  if (at + 2 < parts.size()) return absl::StrCat(parts[at], "/", parts[at + 2]);
  return parts[at];
}

void Measures::OnApiAnswer(const char* verb, const std::string& path, int http_status) {
  metrics_.Add("wsf_api_requests_total",
               absl::StrCat(Label("verb", verb), ",", Label("resource", ResourceOf(path)), ",",
                            Label("code", absl::StrCat(http_status))),
               1);
}

void Measures::OnRecord(const v1::SessionRecord& record) {
  const std::string labels = Labels(record.namespace_(), record.function());
  metrics_.Add("wsf_sessions_total",
               absl::StrCat(labels, ",", Label("code", absl::StrCat(record.status_code()))), 1);
  metrics_.Add("wsf_billed_seconds_total", labels,
               static_cast<double>(record.billed_ms()) / 1000.0);
  metrics_.Observe("wsf_session_duration_seconds", labels,
                   static_cast<double>(record.duration_ms()) / 1000.0);
  const auto add = [this](const char* direction, const v1::Traffic& traffic) {
    const std::string label = Label("direction", direction);
    metrics_.Add("wsf_relay_bytes_total", label, static_cast<double>(traffic.bytes()));
    metrics_.Add("wsf_relay_messages_total", label, static_cast<double>(traffic.messages()));
  };
  add("to_server", record.to_server());
  add("to_client", record.to_client());
}

void Measures::OnReconciled(Duration took) {
  metrics_.Observe("wsf_reconcile_seconds", "", Seconds(took).count());
}

void Measures::OnFault(const char* resource) {
  metrics_.Add("wsf_object_faults_total", Label("resource", resource), 1);
}

void Measures::OnRefused(const char* port, const char* reason) {
  metrics_.Add("wsf_refused_total", absl::StrCat(Label("port", port), ",", Label("reason", reason)),
               1);
}

void Measures::SetRefused(const char* port, const char* reason, std::size_t times) {
  metrics_.Set("wsf_refused_total", absl::StrCat(Label("port", port), ",", Label("reason", reason)),
               static_cast<double>(times));
}

void Measures::OnSidecarAnswer(const std::string& command, int http_status) {
  metrics_.Add(
      "wsf_sidecar_answers_total",
      absl::StrCat(Label("command", command), ",", Label("code", std::to_string(http_status))), 1);
}

std::string Measures::Text(const fleet::Fleet& fleet, std::size_t calls_awaited) {
  metrics_.Set("wsf_impossible_total", "", static_cast<double>(ImpossibleCount()));
  metrics_.Set("wsf_workqueue_depth", "", static_cast<double>(calls_awaited));
  fleet::Counts all;
  metrics_.Clear("wsf_sessions_live");
  for (const auto& [key, function] : fleet.functions()) {
    const fleet::Counts counts = fleet.Count(key);
    metrics_.Set("wsf_sessions_live", Labels(function.ns, function.name), counts.live_sessions);
    all.starting += counts.starting;
    all.free += counts.free;
    all.live += counts.live;
    all.ending += counts.ending;
    all.waiting += counts.waiting;
  }
  metrics_.Set("wsf_instances", Label("state", "starting"), all.starting);
  metrics_.Set("wsf_instances", Label("state", "free"), all.free);
  metrics_.Set("wsf_instances", Label("state", "live"), all.live);
  metrics_.Set("wsf_instances", Label("state", "ending"), all.ending);
  metrics_.Set("wsf_handshakes_waiting", "", all.waiting);
  return metrics_.Text();
}

}  // namespace wsf::control
