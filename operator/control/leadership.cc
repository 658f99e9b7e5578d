// SPDX-License-Identifier: Apache-2.0
#include "operator/control/leadership.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"

namespace wsf::control {
namespace {

using kube::Election;
using Verb = Election::Ask::Verb;

constexpr char kLeaseName[] = "wsf-operator";

TimePoint Now() { return std::chrono::steady_clock::now(); }

// "podname_ip" -> "ip".
std::string HostOf(const std::string& identity) {
  const std::size_t at = identity.rfind('_');
  return at == std::string::npos ? "" : identity.substr(at + 1);
}

}  // namespace

Leadership::Leadership(boost::asio::io_context& io, kube::Client* client, const std::string& ns,
                       const std::string& identity, Election::Claim claim, service::Leader* leader,
                       Callbacks callbacks)
    : path_(absl::StrCat("/apis/coordination.k8s.io/v1/namespaces/", ns, "/leases")),
      identity_(identity),
      client_(client),
      election_(ns, kLeaseName, identity, claim),
      leader_(leader),
      callbacks_(std::move(callbacks)),
      timer_(io) {}

void Leadership::Try() {
  Judge();
  if (!std::exchange(asking_, true)) {
    Send(election_.Next(UnixMicros()), [this] { asking_ = false; });
  }
  timer_.expires_after(Election::kRetry);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Try();
  });
}

void Leadership::Send(const Election::Ask& ask, std::function<void()> done) {
  const auto on_answer = [this, ask, done, sent = Now()](const kube::Response& response) {
    const auto next =
        election_.OnAnswer(ask, response.status, response.body, sent, Now(), UnixMicros());
    if (!response.ok() && response.status != 404 && response.status != 409) {
      observe::Log(observe::Level::kWarning, "lease not reached", {{"error", response.Message()}});
    }
    Judge();
    if (next) return Send(*next, done);
    done();
  };
  const std::string named = absl::StrCat(path_, "/", kLeaseName);
  switch (ask.verb) {
    case Verb::kGet: return client_->Get(named, on_answer);
    case Verb::kCreate: return client_->Create(path_, ask.lease, on_answer);
    case Verb::kUpdate: return client_->Update(named, ask.lease, on_answer);
  }
}

void Leadership::Judge() {
  switch (election_.role(Now())) {
    case Election::Role::kLost:
      observe::Log(observe::Level::kError, "lost the lease", {{"holder", election_.holder()}});
      return callbacks_.on_lost();
    case Election::Role::kLeader:
      if (std::exchange(elected_, true)) return;
      observe::Log(observe::Level::kInfo, "elected",
                   {{"identity", identity_}, {"term", absl::StrCat(election_.term())}});
      leader_->SetHere();
      return callbacks_.on_elected(election_.term());
    case Election::Role::kFollower: {
      // A dead leader's address may be ours by now: nobody leads there.
      const std::string host = HostOf(election_.holder());
      return leader_->SetElsewhere(host == HostOf(identity_) ? "" : host);
    }
  }
}

void Leadership::Release(std::function<void()> done) {
  timer_.cancel();
  const auto release = election_.Release(UnixMicros());
  if (!release) return done();
  client_->Update(absl::StrCat(path_, "/", kLeaseName), release->lease,
                  [done](const kube::Response&) { done(); });
}

}  // namespace wsf::control
