// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/informer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/read.h"
#include "common/observe/log.h"

namespace wsf::kube {
namespace {

using std::chrono::milliseconds;

constexpr auto kBackOff = milliseconds(100);
constexpr int kPageSize = 500;
constexpr auto kBackOffMax = milliseconds(30000);

std::string UidOf(const Json& object) { return json::Text(object, "metadata", "uid"); }

std::string NameOf(const Json& object) {
  const Json& metadata = json::Members(object, "metadata");
  return json::Text(metadata, "namespace") + "/" + json::Text(metadata, "name");
}

std::string VersionOf(const Json& object) {
  return json::Text(object, "metadata", "resourceVersion");
}

// Whether an event of a watch tells of an object and of the version from which to go on.
bool IsChange(const std::string& type, const Json& object) {
  if (VersionOf(object).empty()) return false;
  if (type == "BOOKMARK") return true;
  return (type == "ADDED" || type == "MODIFIED" || type == "DELETED") && !UidOf(object).empty();
}

}  // namespace

Informer::Informer(boost::asio::io_context& io, Client* client, std::string path,
                   std::string selector, Callbacks callbacks)
    : client_(client),
      path_(std::move(path)),
      selector_(std::move(selector)),
      callbacks_(std::move(callbacks)),
      timer_(io),
      back_off_(kBackOff) {}

std::string Informer::Query(const std::string& more) const {
  std::string query = selector_.empty() ? "" : "labelSelector=" + selector_;
  if (!query.empty() && !more.empty()) query += "&";
  query += more;
  return query.empty() ? path_ : path_ + "?" + query;
}

void Informer::Enter(State state) {
  ++states_;
  timer_.cancel();
  state_ = std::move(state);
}

// `function` for as long as this state lasts.
template <typename Function>
auto Informer::InThisState(Function function) {
  return [this, number = states_, function](const auto& value) {
    if (number == states_) function(value);
  };
}

void Informer::List() {
  Enter(Listing{known_});
  ListPage("");
}

// Never with resourceVersion=0: the list is to be consistent (contracts.md, ledger).
void Informer::ListPage(const std::string& more) {
  std::string query = absl::StrCat("limit=", kPageSize);
  if (!more.empty()) absl::StrAppend(&query, "&continue=", more);
  client_->Get(Query(query), InThisState([this](const Response& response) { OnPage(response); }));
}

void Informer::OnPage(const Response& response) {
  if (!response.ok() || VersionOf(response.body).empty()) {
    observe::Log(observe::Level::kWarning, "list failed",
                 {{"path", path_}, {"error", response.Message()}});
    return Pause(&Informer::List);
  }
  const int number = states_;  // whoever is told may want another list
  auto& unseen = std::get<Listing>(state_).unseen;
  for (const Json& item : json::Items(response.body, "items")) {
    if (UidOf(item).empty()) continue;  // no object
    unseen.erase(NameOf(item));
    Tell(item);
    if (number != states_) return;
  }
  const std::string more = json::Text(response.body, "metadata", "continue");
  if (!more.empty()) return ListPage(more);
  version_ = VersionOf(response.body);
  for (const auto& [name, uid] : std::exchange(unseen, {})) {
    known_.erase(name);
    callbacks_.on_gone(uid);
    if (number != states_) return;
  }
  callbacks_.on_listed();
  if (number == states_) Watch();
}

// An object of the same name and another uid says that the old one has gone, whether or not its
// deletion was told.
void Informer::Tell(const Json& object) {
  std::string& uid = known_[NameOf(object)];
  const std::string old = std::exchange(uid, UidOf(object));
  if (!old.empty() && old != uid) callbacks_.on_gone(old);
  try {
    callbacks_.on_object(object);
  } catch (const std::exception& error) {
    callbacks_.on_fault(NameOf(object), error.what());
  }
}

void Informer::Watch() {
  Enter(Watching());
  auto watch =
      client_->StartWatch(Query("watch=1&allowWatchBookmarks=true&resourceVersion=" + version_),
                          InThisState([this](const std::string& line) { OnLine(line); }),
                          InThisState([this](const absl::Status& status) { OnEnd(status); }));
  std::get<Watching>(state_).watch = std::move(watch);
}

void Informer::OnLine(const std::string& line) {
  const Json event = Json::parse(line, nullptr, false);
  const std::string type = json::Text(event, "type");
  const Json& object = json::Members(event, "object");
  // 410, a cache of the API server that has fallen behind, or an answer that is no watch: only a
  // list tells what is there, and what follows here has a gap before it.
  if (!IsChange(type, object)) return Pause(&Informer::List);
  back_off_ = kBackOff;
  version_ = VersionOf(object);
  if (type == "DELETED") {
    const auto known = known_.find(NameOf(object));
    if (known != known_.end() && known->second == UidOf(object)) known_.erase(known);
    callbacks_.on_gone(UidOf(object));
  } else if (type != "BOOKMARK") {
    Tell(object);
  }
}

void Informer::OnEnd(const absl::Status& status) {
  // What an API server refuses says nothing of what has changed meanwhile.
  Pause(absl::IsFailedPrecondition(status) ? &Informer::List : &Informer::Watch);
}

void Informer::Pause(void (Informer::*then)()) {
  Enter(Pausing());
  timer_.expires_after(back_off_);
  back_off_ = std::min(back_off_ * 2, kBackOffMax);
  timer_.async_wait([this, number = states_, then](const boost::system::error_code& error) {
    if (!error && number == states_) (this->*then)();
  });
}

}  // namespace wsf::kube
