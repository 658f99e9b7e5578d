// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/informer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"

namespace wsf::kube {
namespace {

using std::chrono::milliseconds;

constexpr auto kBackOff = milliseconds(100);
constexpr auto kBackOffMax = milliseconds(30000);

std::string UidOf(const Json& object) {
  return object.value("metadata", Json::object()).value("uid", "");
}

std::string NameOf(const Json& object) {
  const Json metadata = object.value("metadata", Json::object());
  return metadata.value("namespace", "") + "/" + metadata.value("name", "");
}

std::string VersionOf(const Json& object) {
  return object.value("metadata", Json::object()).value("resourceVersion", "");
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

void Informer::List() {
  client_->Get(Query(""), [this, number = ++lists_](const Response& response) {
    if (number == lists_) OnList(response);
  });
}

void Informer::ListAgain() {
  watch_.reset();
  timer_.cancel();
  List();
}

void Informer::OnList(const Response& response) {
  if (!response.ok() || !response.body.is_object()) {
    observe::Log(observe::Level::kWarning, "list failed",
                 {{"path", path_}, {"error", response.Message()}});
    return Again([this] { List(); });
  }
  expired_ = false;
  std::map<std::string, std::string> gone = known_;
  for (const Json& item : response.body.value("items", Json::array())) {
    gone.erase(NameOf(item));
    Tell(item);
  }
  for (const auto& [name, uid] : gone) {
    known_.erase(name);
    callbacks_.on_gone(uid);
  }
  version_ = VersionOf(response.body);
  callbacks_.on_listed();
  Watch();
}

// An object of the same name and another uid says that the old one has gone, whether or not its
// deletion was told.
void Informer::Tell(const Json& object) {
  std::string& uid = known_[NameOf(object)];
  const std::string old = std::exchange(uid, UidOf(object));
  if (!old.empty() && old != uid) callbacks_.on_gone(old);
  callbacks_.on_object(object);
}

void Informer::Watch() {
  watch_ = client_->StartWatch(
      Query("watch=1&allowWatchBookmarks=true&resourceVersion=" + version_),
      [this](const std::string& line) { OnLine(line); },
      [this](const absl::Status& status) { OnEnd(status); });
}

void Informer::OnLine(const std::string& line) {
  const Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) return;
  const std::string type = event.value("type", "");
  const Json object = event.value("object", Json::object());
  if (type == "ERROR") {
    expired_ = object.value("code", 0) == 410;
    return;
  }
  back_off_ = kBackOff;
  if (type == "DELETED") {
    const auto known = known_.find(NameOf(object));
    if (known != known_.end() && known->second == UidOf(object)) known_.erase(known);
    callbacks_.on_gone(UidOf(object));
  } else if (type != "BOOKMARK") {
    Tell(object);
  }
  version_ = VersionOf(object);
}

void Informer::OnEnd(const absl::Status& status) {
  if (expired_ || absl::IsNotFound(status)) return Again([this] { List(); });
  Again([this] { Watch(); });
}

void Informer::Again(std::function<void()> what) {
  timer_.expires_after(back_off_);
  back_off_ = std::min(back_off_ * 2, kBackOffMax);
  timer_.async_wait([what = std::move(what)](const boost::system::error_code& error) {
    if (!error) what();
  });
}

}  // namespace wsf::kube
