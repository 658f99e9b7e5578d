// SPDX-License-Identifier: Apache-2.0
#include "operator/kube/patient_client.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "common/base/time.h"

namespace wsf::kube {
namespace {

constexpr int kTries = 10;
// What an API server may ask for at most; longer, and we would seem dead.
constexpr auto kLongestWait = std::chrono::seconds(30);

bool IsPutOff(const Response& response) {
  return (response.status == 429 || response.status == 503) && response.retry_after.count() > 0;
}

}  // namespace

PatientClient::PatientClient(boost::asio::io_context& io, std::unique_ptr<Client> client,
                             Observer observer)
    : io_(io), client_(std::move(client)), observer_(std::move(observer)) {}

void PatientClient::Try(const char* verb, const std::string& path, Send send, Callback callback,
                        int tries) {
  ++awaited_;
  send([this, verb, path, send, callback = std::move(callback), tries](const Response& response) {
    --awaited_;
    observer_(verb, path, response.status);
    if (!IsPutOff(response) || tries <= 1) return callback(response);
    const auto timer = std::make_shared<boost::asio::steady_timer>(
        io_, std::min<Duration>(response.retry_after, kLongestWait));
    timer->async_wait([=, this](const boost::system::error_code& error) {
      static_cast<void>(timer);  // lives until it fires
      if (!error) Try(verb, path, send, callback, tries - 1);
    });
  });
}

void PatientClient::Get(const std::string& path, Callback callback) {
  Try(
      "get", path, [=, this](Callback done) { client_->Get(path, std::move(done)); },
      std::move(callback), kTries);
}

void PatientClient::Create(const std::string& path, const Json& object, Callback callback) {
  Try(
      "create", path, [=, this](Callback done) { client_->Create(path, object, std::move(done)); },
      std::move(callback), kTries);
}

void PatientClient::Update(const std::string& path, const Json& object, Callback callback) {
  Try(
      "update", path, [=, this](Callback done) { client_->Update(path, object, std::move(done)); },
      std::move(callback), kTries);
}

void PatientClient::Apply(const std::string& path, Patch kind, const Json& patch,
                          Callback callback) {
  Try(
      "patch", path,
      [=, this](Callback done) { client_->Apply(path, kind, patch, std::move(done)); },
      std::move(callback), kTries);
}

void PatientClient::Delete(const std::string& path, const Json& options, Callback callback) {
  Try(
      "delete", path, [=, this](Callback done) { client_->Delete(path, options, std::move(done)); },
      std::move(callback), kTries);
}

std::unique_ptr<Client::Watch> PatientClient::StartWatch(
    const std::string& path, std::function<void(const std::string&)> on_line,
    std::function<void(absl::Status)> on_end) {
  observer_("watch", path, 200);
  return client_->StartWatch(path, std::move(on_line), std::move(on_end));
}

}  // namespace wsf::kube
