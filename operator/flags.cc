// SPDX-License-Identifier: Apache-2.0
#include "operator/flags.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace wsf::control {
namespace {

// NAMESPACE=DOMAIN.
std::string AddHost(const std::string& text, spec::Grants* grants) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    return "--hosts needs NAMESPACE=DOMAIN, as in team-a=a.example.com";
  }
  grants->hosts[text.substr(0, equals)].insert(absl::AsciiStrToLower(text.substr(equals + 1)));
  return "";
}

void DeclareAllowed(CLI::App* app, spec::Grants* grants) {
  const auto list = [app](const char* name, std::vector<std::string>* values, const char* help) {
    app->add_option(name, *values, help)
        ->delimiter(',')
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  list("--allow-service-account", &grants->service_accounts,
       "spec.serviceAccountName that functions may name; default none");
  list("--allow-runtime-class", &grants->runtime_classes, "the same for spec.runtimeClassName");
  list("--allow-priority-class", &grants->priority_classes, "the same for spec.priorityClassName");
  app->add_option_function<std::vector<std::string>>(
         "--hosts",
         [grants](const std::vector<std::string>& all) {
           for (const std::string& each : all) {
             const std::string error = AddHost(each, grants);
             if (!error.empty()) throw CLI::ValidationError(error);
           }
         },
         "NAMESPACE=DOMAIN: only that namespace claims hosts within DOMAIN, and no others")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option_function<std::vector<std::string>>(
         "--own-host",
         [grants](const std::vector<std::string>& all) {
           for (const std::string& each : all) {
             if (absl::StrContains(each, ':') || absl::EndsWith(each, ".")) {
               throw CLI::ValidationError("--own-host needs a name alone, as in ws.example.com");
             }
             grants->own_hosts.insert(absl::AsciiStrToLower(each));
           }
         },
         "a name that clients reach every function by, beside that of --public-url: no function "
         "may claim it")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void DeclareLives(CLI::App* app, keys::Lives* lives) {
  const auto option = [app](const char* name, std::chrono::seconds* life, const char* help) {
    app->add_option_function<int>(
           name, [life](int seconds) { *life = std::chrono::seconds(seconds); }, help)
        ->check(CLI::Range(60, 10 * 365 * 24 * 3600));
  };
  option("--relay-certificate-seconds", &lives->relay,
         "life of a relay's certificate, which must outlive its instance; default 7 days");
  option("--certificate-seconds", &lives->own,
         "life of the operator's and the gateways'; renewed at half of it; default 365 days");
  option("--authority-seconds", &lives->authority,
         "life of the two authorities that sign them, at least seven times that of a relay's "
         "certificate; followed by another when a third is left; default 10 years");
}

}  // namespace

void Declare(CLI::App* app, Flags* flags) {
  // Whoever wraps a command may add flags behind ours: the last one holds.
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->add_option("--kubeconfig", flags->kubeconfig, "file; default: the cluster we run in");
  app->add_option("--namespace", flags->ns, "our own namespace, where our Secrets and Lease are");
  app->add_option("--namespaces", flags->namespaces, "whose functions are served; default all")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_flag("--leader-elect", flags->elects, "several replicas: one leads, by a Lease");
  app->add_option("--identity", flags->identity,
                  "NAME_IP of this replica; default $POD_NAME and $POD_IP");
  app->add_flag("--drain-all", flags->drains,
                "lead at once, end all instances, account them, and exit: before an uninstall");
  app->add_option("--sidecar-listen", flags->sidecar_listen, "ip:port for sidecars");
  app->add_option("--gateway-listen", flags->gateway_listen, "ip:port for gateways");
  app->add_option("--admin-listen", flags->admin_listen,
                  "ip:port of /metrics and /sessions: HTTPS, with a bearer token");
  app->add_option("--probe-listen", flags->probe_listen, "ip:port of /healthz and /readyz");
  app->add_option("--advertise", flags->advertise,
                  "host:port told to sidecars; a name is looked up once, at the start");
  app->add_option("--max-relay-connections-per-source", flags->relay_connections_per_source,
                  "at --sidecar-listen, of one address; 0 = no limit");
  app->add_option("--public-url", flags->public_url, "start of status.url");
  app->add_option("--relay-image", flags->relay_image, "image of wsf-sidecar");
  app->add_option("--surplus-seconds", flags->surplus_seconds,
                  "how long a free instance above the desired number is kept")
      ->check(CLI::Range(0, 3600));
  app->add_option("--scale-out-per-minute", flags->scale_out_per_minute,
                  "instances started within a minute, of all functions")
      ->check(CLI::Range(1, 1000000));
  app->add_option("--max-message-bytes", flags->grants.maxima.message_bytes,
                  "greatest limits.maxMessageBytes of a function; default any");
  app->add_option("--max-request-bytes-per-second", flags->grants.maxima.request_bytes_per_second,
                  "greatest limits.requestBytesPerSecond; default any");
  app->add_option("--max-requests-per-second", flags->grants.maxima.requests_per_second,
                  "greatest limits.requestsPerSecond; default any");
  DeclareAllowed(app, &flags->grants);
  DeclareLives(app, &flags->lives);
  app->parse_complete_callback([lives = &flags->lives] {
    if (lives->authority >= lives->shortest_authority()) return;
    throw CLI::ValidationError("--authority-seconds must be at least " +
                               std::to_string(lives->shortest_authority().count()) +
                               ", seven times --relay-certificate-seconds");
  });
  app->add_option("--relay-cpu-request", flags->relay.cpu_request, "of each relay; default 5m");
  app->add_option("--relay-cpu-limit", flags->relay.cpu_limit, "default none");
  app->add_option("--relay-memory-request", flags->relay.memory_request, "default 8Mi");
  app->add_option("--relay-memory-limit", flags->relay.memory_limit, "default 32Mi");
  app->add_option("--relay-pull-secret", flags->relay_pull_secrets,
                  "Secret in each function's namespace that the relay's image is pulled with")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option_function<std::string>(
         "--user-ids",
         [flags](const std::string& whose) { flags->cluster_gives_ids = whose == "cluster"; },
         "ours: 10001 for servers, 65532 for relays; cluster: left to it, as OpenShift demands")
      ->check(CLI::IsMember({"ours", "cluster"}));
  app->add_option_function<std::string>(
         "--max-eviction",
         [flags](const std::string& most) {
           flags->grants.eviction = most == "Always"      ? spec::Eviction::kAlways
                                    : most == "OnUpgrade" ? spec::Eviction::kOnUpgrade
                                                          : spec::Eviction::kNever;
         },
         "the strictest spec.eviction of a function; default OnUpgrade, since Never holds up "
         "drains")
      ->check(CLI::IsMember({"Always", "OnUpgrade", "Never"}));
  app->add_flag("--keep-from-eviction", flags->keeps_from_eviction,
                "the cluster autoscaler leaves nodes with instances alone");
}

}  // namespace wsf::control
