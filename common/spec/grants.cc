// SPDX-License-Identifier: Apache-2.0
#include "common/spec/grants.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json/read.h"

namespace wsf::spec {
namespace {

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

void CheckAllowed(const char* field, const std::vector<std::string>& allowed, Function* function) {
  const auto given = function->spec.pod.find(field);
  if (given == function->spec.pod.end() || !given->is_string()) return;
  if (std::find(allowed.begin(), allowed.end(), json::AsText(*given)) != allowed.end()) return;
  const std::string choice = absl::StrJoin(allowed, ", ");
  function->errors.push_back(absl::StrCat("spec.", field,
                                          " must be one that the administrator allows: ",
                                          choice.empty() ? "there is none; leave it out" : choice));
}

bool IsWithin(const std::string& host, const std::set<std::string>& domains) {
  return std::any_of(domains.begin(), domains.end(), [&host](const std::string& domain) {
    return host == domain || absl::EndsWith(host, "." + domain);
  });
}

// As a Service is called in a cluster: name.namespace, name.namespace.svc, and with the cluster's
// domain behind it.
bool IsOfEverybody(const std::string& host, const Grants& grants) {
  return grants.own_hosts.contains(host) || absl::EndsWith(host, ".svc") ||
         absl::StrContains(host, ".svc.") ||
         (!grants.platform_namespace.empty() &&
          absl::EndsWith(host, "." + grants.platform_namespace));
}

void CheckHosts(const Grants& grants, Function* function) {
  const auto own = grants.hosts.find(function->ns);
  for (const std::string& host : function->spec.hosts) {
    if (IsOfEverybody(host, grants)) {
      function->errors.push_back(
          absl::StrCat("spec.route.hosts must not name ", host, ", which leads to every function"));
      continue;
    }
    if (own != grants.hosts.end()) {
      if (!IsWithin(host, own->second)) {
        function->errors.push_back(absl::StrCat("spec.route.hosts must be within ",
                                                absl::StrJoin(own->second, ", "), ", not ", host));
      }
      continue;
    }
    for (const auto& [ns, domains] : grants.hosts) {
      if (IsWithin(host, domains)) {
        function->errors.push_back(absl::StrCat("spec.route.hosts must not name ", host,
                                                ", which is another namespace's"));
      }
    }
  }
}

}  // namespace

void CheckGrants(const Grants& grants, Function* function) {
  CheckMaxima(grants.maxima, function);
  CheckAllowed("serviceAccountName", grants.service_accounts, function);
  CheckAllowed("runtimeClassName", grants.runtime_classes, function);
  CheckAllowed("priorityClassName", grants.priority_classes, function);
  if (function->spec.eviction > grants.eviction) {
    function->errors.push_back(
        absl::StrCat("spec.eviction must be ",
                     grants.eviction == Eviction::kAlways ? "Always" : "Always or OnUpgrade",
                     ", which the administrator grants at most"));
  }
  CheckHosts(grants, function);
}

}  // namespace wsf::spec
