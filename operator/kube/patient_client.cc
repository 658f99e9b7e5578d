// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/patient_client.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/time.h"

namespace wsf::kube {
namespace {

constexpr int kTries = 10;
// What an API server may ask for at most; longer, and we would seem dead.
constexpr auto kLongestWait = std::chrono::seconds(30);

// A status, or an Event.
bool IsForPeople(const std::string& path) {
  return absl::EndsWith(path, "/status") || absl::StrContains(path, "/events");
}

bool IsPutOff(const Response& response) {
  return (response.status == 429 || response.status == 503) && response.retry_after.count() > 0;
}

}  // namespace

PatientClient::PatientClient(boost::asio::io_context& io, std::unique_ptr<Client> client,
                             Observer observer, Limits limits)
    : io_(io),
      client_(std::move(client)),
      observer_(std::move(observer)),
      most_in_flight_(limits.in_flight),
      rate_(Duration(std::chrono::seconds(1)) / limits.per_second, 2 * limits.per_second),
      timer_(io) {}

void PatientClient::Add(Call call) {
  (IsForPeople(call.path) ? later_ : urgent_).push_back(std::move(call));
  SendWaiting();
}

void PatientClient::SendWaiting() {
  while (in_flight_ < most_in_flight_ && !(urgent_.empty() && later_.empty())) {
    if (!rate_.Take(std::chrono::steady_clock::now())) {
      timer_.expires_at(rate_.Next());
      timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) SendWaiting();
      });
      return;
    }
    std::deque<Call>& queue = urgent_.empty() ? later_ : urgent_;
    Call call = std::move(queue.front());
    queue.pop_front();
    Start(std::move(call));
  }
}

void PatientClient::Start(Call call) {
  ++in_flight_;
  const Send send = call.send;
  send([this, call = std::move(call)](const Response& response) mutable {
    --in_flight_;
    observer_(call.verb, call.path, response.status);
    if (!IsPutOff(response) || --call.tries <= 0) {
      call.callback(response);
      return SendWaiting();
    }
    const auto timer = std::make_shared<boost::asio::steady_timer>(
        io_, std::min<Duration>(response.retry_after, kLongestWait));
    timer->async_wait([this, timer, call](const boost::system::error_code& error) {
      if (!error) Add(call);
    });
    SendWaiting();
  });
}

void PatientClient::Get(const std::string& path, Callback callback) {
  Add({"get", path, [=, this](Callback done) { client_->Get(path, std::move(done)); },
       std::move(callback), kTries});
}

void PatientClient::Create(const std::string& path, const Json& object, Callback callback) {
  Add({"create", path, [=, this](Callback done) { client_->Create(path, object, std::move(done)); },
       std::move(callback), kTries});
}

void PatientClient::Update(const std::string& path, const Json& object, Callback callback) {
  Add({"update", path, [=, this](Callback done) { client_->Update(path, object, std::move(done)); },
       std::move(callback), kTries});
}

void PatientClient::Apply(const std::string& path, Patch kind, const Json& patch,
                          Callback callback) {
  Add({"patch", path,
       [=, this](Callback done) { client_->Apply(path, kind, patch, std::move(done)); },
       std::move(callback), kTries});
}

void PatientClient::Delete(const std::string& path, const Json& options, Callback callback) {
  Add({"delete", path,
       [=, this](Callback done) { client_->Delete(path, options, std::move(done)); },
       std::move(callback), kTries});
}

std::unique_ptr<Client::Watch> PatientClient::StartWatch(
    const std::string& path, std::function<void(const std::string&)> on_line,
    std::function<void(absl::Status)> on_end) {
  observer_("watch", path, 200);
  return client_->StartWatch(path, std::move(on_line), std::move(on_end));
}

}  // namespace wsf::kube
