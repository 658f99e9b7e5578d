// SPDX-License-Identifier: Apache-2.0
#include "cli/sessions.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/api.h"
#include "common/base/time.h"
#include "common/json/read.h"

namespace wsf::cli {
namespace {

using kube::Json;

constexpr int kExitUsage = 2;
constexpr char kProxy[] = "/api/v1/namespaces/%s/services/https:wsf-operator:admin/proxy";
constexpr auto kWatchPause = std::chrono::seconds(1);
constexpr std::int64_t kWorthSaying = 1000;  // milliseconds

struct Flags {
  std::string kubeconfig;
  std::string system = "wsf-system";
  std::string ns;
  std::string function;
  std::string session;
  std::string output = "table";
  bool watch = false;
};

int Fail(const std::string& what) {
  std::fprintf(stderr, "wsf: %s\n", what.c_str());
  return kExitUsage;
}

std::string Text(const Json& object, const char* name) { return json::TextOr("-", object, name); }

// `after` is the cursor of an earlier answer, or "".
absl::StatusOr<Json> ReadSessions(Api* api, const Flags& flags, const std::string& after) {
  const std::string path = absl::StrFormat(kProxy, flags.system) +
                           absl::StrCat("/sessions?namespace=", flags.ns,
                                        "&function=", flags.function, "&after=", after);
  kube::Response answer = api->Get(path);
  if (!answer.ok() || !answer.body.is_object()) return absl::UnavailableError(WhyNot(answer));
  return std::move(answer.body);
}

std::string Seconds(std::int64_t millis) { return absl::StrFormat("%.1fs", millis / 1000.0); }

// One line of the table. A live session has no end yet: 202, and for how long so far.
std::string Line(const Json& session) {
  const int code = json::Number(session, "statusCode");
  const std::int64_t start = ParseRfc3339(json::Text(session, "requestStart"));
  const std::int64_t millis = session.contains("durationMs") ? json::Number(session, "durationMs")
                                                             : (UnixMicros() - start) / 1000;
  std::string reason = code == 202 ? "live, " + Text(session, "client") : Text(session, "reason");
  const std::int64_t throttled = json::Number(session, "throttledMs");
  if (throttled >= kWorthSaying) reason += ", throttled " + Seconds(throttled);
  return absl::StrFormat("%-37s%-21s%-9s%-5d%-26s%-10s%s\n", Text(session, "requestId"),
                         Rfc3339Seconds(start), Seconds(millis), code, reason,
                         Text(session, "closedBy"), Text(session, "instance"));
}

void PrintHeader(const Flags& flags) {
  if (flags.output == "json") return;
  std::printf("%-37s%-21s%-9s%-5s%-26s%-10s%s\n", "SESSION", "START", "TIME", "CODE", "REASON",
              "CLOSED BY", "INSTANCE");
}

void Print(const Flags& flags, const Json& session) {
  std::fputs(flags.output == "json" ? (session.dump() + "\n").c_str() : Line(session).c_str(),
             stdout);
}

int RunSessions(const Flags& flags) {
  const auto api = Api::OpenForPeople(flags.kubeconfig, flags.system);
  if (!api.ok()) return Fail(std::string(api.status().message()));
  std::set<std::string> printed;
  std::string cursor;
  bool first = true;
  while (true) {
    const absl::StatusOr<Json> sessions = ReadSessions(api->get(), flags, cursor);
    if (!sessions.ok()) return Fail(std::string(sessions.status().message()));
    if (std::exchange(first, false)) PrintHeader(flags);
    for (const char* part : {"records", "live"}) {
      for (const Json& each : json::Items(*sessions, part)) {
        if (printed.insert(part + Text(each, "requestId")).second) Print(flags, each);
      }
    }
    std::fflush(stdout);
    if (!flags.watch) return 0;
    cursor = json::Text(*sessions, "cursor");
    std::this_thread::sleep_for(kWatchPause);
  }
}

// A whole id, or as much of its end as tells it from the others: the live log shows six characters.
absl::StatusOr<Json> FindSession(Api* api, const Flags& flags) {
  const absl::StatusOr<Json> sessions = ReadSessions(api, flags, "");
  if (!sessions.ok()) return sessions.status();
  std::vector<Json> found;
  for (const char* part : {"live", "records"}) {
    for (const Json& each : json::Items(*sessions, part)) {
      if (absl::EndsWith(Text(each, "requestId"), flags.session)) found.push_back(each);
    }
  }
  if (found.empty()) {
    return absl::NotFoundError("no session " + flags.session + "; `wsf sessions` lists them");
  }
  if (found.size() > 1) {
    return absl::InvalidArgumentError("several sessions end with " + flags.session +
                                      "; give more of the id");
  }
  return found.front();
}

int RunEnd(const Flags& flags) {
  const auto api = Api::OpenForPeople(flags.kubeconfig, flags.system);
  if (!api.ok()) return Fail(std::string(api.status().message()));
  const absl::StatusOr<Json> session = FindSession(api->get(), flags);
  if (!session.ok()) return Fail(std::string(session.status().message()));
  const std::string id = Text(*session, "requestId");
  if (json::Number(*session, "statusCode") != 202)
    return Fail("session " + id + " has ended already");
  const kube::Response answer =
      (*api)->Post(absl::StrFormat(kProxy, flags.system) + "/sessions/" + id + "/end");
  if (!answer.ok()) return Fail(WhyNot(answer));
  std::printf("session %s is being ended (499)\n", id.c_str());
  return 0;
}

int RunLogs(const Flags& flags) {
  const auto api = Api::OpenForPeople(flags.kubeconfig, flags.system);
  if (!api.ok()) return Fail(std::string(api.status().message()));
  const absl::StatusOr<Json> session = FindSession(api->get(), flags);
  if (!session.ok()) return Fail(std::string(session.status().message()));
  const kube::Response answer =
      (*api)->Get(absl::StrCat("/api/v1/namespaces/", Text(*session, "namespace"), "/pods/",
                               Text(*session, "instance"), "/log?container=function"));
  if (answer.status == 404) {
    return Fail("the instance " + Text(*session, "instance") + " has gone, and its log with it");
  }
  if (!answer.ok()) return Fail(WhyNot(answer));
  std::fputs(answer.text.c_str(), stdout);
  return 0;
}

void AddCommon(CLI::App* command, Flags* flags) {
  command->add_option("--kubeconfig", flags->kubeconfig,
                      "default: $KUBECONFIG, your running wsf dev, ~/.kube/config");
  command->add_option("--system-namespace", flags->system, "where the operator runs")
      ->capture_default_str();
}

}  // namespace

void AddSessions(CLI::App* app, int* status) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* sessions =
      app->add_subcommand("sessions", "List the last session records and the live sessions.");
  AddCommon(sessions, flags.get());
  sessions->add_option("-n,--namespace", flags->ns, "only this namespace's");
  sessions->add_option("function", flags->function, "only this function's");
  sessions->add_option("-o,--output", flags->output, "table, or json: one object a line")
      ->check(CLI::IsMember({"table", "json"}));
  sessions->add_flag("-w,--watch", flags->watch, "go on with what happens");
  sessions->callback([flags, status] { *status = RunSessions(*flags); });

  CLI::App* end = app->add_subcommand("end", "End one live session (status code 499).");
  AddCommon(end, flags.get());
  end->add_option("session", flags->session, "its id, or the end of it")->required();
  end->callback([flags, status] { *status = RunEnd(*flags); });

  CLI::App* logs = app->add_subcommand("logs", "Show what a session's server has written.");
  AddCommon(logs, flags.get());
  logs->add_option("session", flags->session, "its id, or the end of it")->required();
  logs->callback([flags, status] { *status = RunLogs(*flags); });
}

}  // namespace wsf::cli
