// SPDX-License-Identifier: Apache-2.0
//
// wsf-sidecar: the owner of one instance. It waits until the server listens, tells the operator,
// takes one connection at a time (or as many as the function's concurrency says), relays it and
// reports how it ended. One thread; exit status 0 = its work is done, 2 = wrong flags,
// 3 = the relay port is taken.

#include <getopt.h>
#include <malloc.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/net/endpoint.h"
#include "sidecar/slot/door.h"
#include "sidecar/slot/instance.h"

namespace {

constexpr char kUsage[] =
    "usage: wsf-sidecar --pod-uid=UID --operator=IP:PORT --token-file=FILE\n"
    "  --listen=IP:PORT             relay port (default [::]:17009)\n"
    "  --advertise=IP:PORT          what the operator is told (default: --listen)\n"
    "  --server-address=IP[,IP]     where the server is looked for (default 127.0.0.1,::1)\n"
    "  --port=N                     the server's port, 1-65535 (default 9000)\n"
    "  --ready-path=PATH            HTTP GET that must answer 2xx-4xx first (default none)\n"
    "  --termination-log=FILE       (default /dev/termination-log)\n"
    "  --report-program=FILE        wsf-report (default: beside this program)\n";

constexpr int kExitUsage = 2;
constexpr int kExitPortTaken = 3;

struct Flags {
  std::string pod_uid;
  std::string operator_address;
  std::string token_file;
  std::string listen = "[::]:17009";
  std::string advertise;
  std::string server_address = "127.0.0.1,::1";
  std::string port = "9000";
  std::string ready_path;
  std::string termination_log = "/dev/termination-log";
  std::string report_program = "/proc/self/exe";
};

bool Fail(const std::string& what) {
  std::fprintf(stderr, "wsf-sidecar: %s; see --help\n", what.c_str());
  return false;
}

bool ParseFlags(int argc, char** argv, Flags* flags) {
  struct Named {
    const char* name;
    std::string* value;
  };
  const Named named[] = {{"pod-uid", &flags->pod_uid},
                         {"operator", &flags->operator_address},
                         {"token-file", &flags->token_file},
                         {"listen", &flags->listen},
                         {"advertise", &flags->advertise},
                         {"server-address", &flags->server_address},
                         {"port", &flags->port},
                         {"ready-path", &flags->ready_path},
                         {"termination-log", &flags->termination_log},
                         {"report-program", &flags->report_program}};
  std::vector<option> options;
  for (const Named& each : named) options.push_back({each.name, required_argument, nullptr, 0});
  options.push_back({"help", no_argument, nullptr, 'h'});
  options.push_back({nullptr, 0, nullptr, 0});
  int index = 0;
  for (int c; (c = getopt_long(argc, argv, "", options.data(), &index)) != -1;) {
    if (c == 'h') {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (c != 0) return false;  // getopt has said what is wrong
    *named[index].value = optarg;
  }
  if (optind < argc) return Fail(std::string("unexpected argument ") + argv[optind]);
  if (flags->pod_uid.empty()) return Fail("--pod-uid is missing");
  if (flags->operator_address.empty()) return Fail("--operator is missing");
  return true;
}

std::optional<wsf::slot::ServerPort> ParseServer(const Flags& flags) {
  wsf::slot::ServerPort server;
  unsigned port = 0;
  if (!absl::SimpleAtoi(flags.port, &port) || port == 0 || port > 65535) return std::nullopt;
  server.port = static_cast<std::uint16_t>(port);
  for (const auto& part : absl::StrSplit(flags.server_address, ',')) {
    boost::system::error_code error;
    server.addresses.push_back(boost::asio::ip::make_address(std::string(part), error));
    if (error) return std::nullopt;
  }
  return server;
}

// wsf-report lies beside wsf-sidecar in the image and in PREFIX/bin.
std::string ReportProgram(const Flags& flags, const char* self) {
  if (flags.report_program != "/proc/self/exe") return flags.report_program;
  const std::string path = self;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "wsf-report" : path.substr(0, slash + 1) + "wsf-report";
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) return kExitUsage;
  const auto listen = wsf::net::ParseEndpoint(flags.listen);
  if (!listen) return Fail("--listen is not IP:PORT"), kExitUsage;
  const auto server = ParseServer(flags);
  if (!server) return Fail("--port or --server-address is wrong"), kExitUsage;
  std::signal(SIGPIPE, SIG_IGN);
  // What a slow peer made us keep goes back to the kernel once it is sent: a sidecar's memory is
  // the price of each connection.
  mallopt(M_MMAP_THRESHOLD, 16 * 1024);

  boost::asio::io_context io(1);
  wsf::report::TerminationMessage termination_message(flags.termination_log);
  wsf::report::Reporter reporter(
      io, {ReportProgram(flags, argv[0]), "--operator=" + flags.operator_address,
           "--token-file=" + flags.token_file});
  wsf::slot::InstanceOptions options;
  options.pod_uid = flags.pod_uid;
  options.advertised_address = flags.advertise.empty() ? flags.listen : flags.advertise;
  options.server = *server;
  options.ready_path = flags.ready_path;
  wsf::slot::Instance instance(io, options, &reporter, &termination_message, [&io] { io.stop(); });
  wsf::net::error_code error;
  wsf::slot::Door door(io, *listen, &instance, error);
  if (error) {
    const std::string what =
        "port " + std::to_string(listen->port()) + " is taken by the server: " + error.message();
    termination_message.Write(what);
    std::fprintf(stderr, "wsf-sidecar: %s\n", what.c_str());
    return kExitPortTaken;
  }
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&instance](const wsf::net::error_code& failed, int) {
    if (!failed) instance.Terminate();
  });
  instance.Start();
  door.Start();
  io.run();
  // The kernel flushes what is queued; a second of reading what peers still send is Relay's own.
  std::_Exit(0);
}
