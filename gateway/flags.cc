// SPDX-License-Identifier: Apache-2.0
#include "gateway/flags.h"

namespace wsf::gateway {

void Declare(CLI::App* app, Flags* flags) {
  // Whoever wraps a command may add flags behind ours: the last one holds.
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->add_option("--listen", flags->listen, "ip:port for clients; several with commas");
  app->add_option("--tls-listen", flags->tls_listen, "ip:port for clients that speak TLS only");
  app->add_option("--tls-certificate", flags->certificates,
                  "folder of tls.crt and tls.key; with one, --listen serves ws and wss. Repeat it "
                  "for more names; changed files are loaded without a restart")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_flag("--proxy-protocol", flags->proxy_protocol,
                "connections of --trusted-proxies begin with a PROXY protocol header");
  app->add_option("--trusted-proxies", flags->trusted_proxies,
                  "networks whose word is taken for a client's address, as in 10.0.0.0/8,fd00::/8");
  app->add_option("--max-connections", flags->max_connections,
                  "connections at a time; default what the descriptor limit allows");
  app->add_option("--max-connections-per-address", flags->max_connections_per_address,
                  "of one client address; default no limit");
  app->add_option("--memory-limit", flags->memory_limit,
                  "bytes, near which new handshakes get 503; default the control group's");
  app->add_option("--lame-duck-seconds", flags->lame_duck_seconds,
                  "how long after SIGTERM who still comes is served, while /readyz says no: until "
                  "load balancers have seen it; default 0")
      ->check(CLI::Range(0, 300));
  app->add_option("--drain-seconds", flags->drain_seconds,
                  "how long sessions may go on after SIGTERM; default 0")
      ->check(CLI::Range(0, 86400));
  app->add_option("--admin-listen", flags->admin_listen, "ip:port of /metrics");
  app->add_option("--probe-listen", flags->probe_listen, "ip:port of /healthz and /readyz");
  app->add_option("--operator", flags->operator_address, "ip:port of the operator")->required();
  app->add_option("--operator-tls", flags->tls_folder, "folder of ca.crt, tls.crt and tls.key");
  app->add_option("--default-function", flags->default_function,
                  "NAMESPACE/NAME served where no other function fits");
  app->add_flag("--loopback-only", flags->loopback_only,
                "refuse a Host or Origin that is not this machine");
  app->add_option("--allow-origin", flags->allowed_origins, "allowed with --loopback-only")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--max-waiting", flags->max_waiting,
                  "held handshakes of one function; the next gets 503")
      ->check(CLI::Range(1, 1000000));
  app->add_option("--max-wait", flags->max_wait_seconds,
                  "seconds a handshake may be held; default initTimeout + 5")
      ->check(CLI::Range(1, 3600));
}

}  // namespace wsf::gateway
