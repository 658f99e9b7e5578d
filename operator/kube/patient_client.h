// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/bucket.h"
#include "common/kube/client.h"

namespace wsf::kube {

/// A Client that spares an API server: at most so many calls are unanswered at a time and sent a
/// second; the others wait in their order, and what people read behind what somebody waits for. It
/// does what an overloaded one asks for: a call answered 429 or 503 with Retry-After was not
/// carried out and is sent again then, ten times at most (faults.md 4). Each answer is told to an
/// observer.
///
/// Threading: confined to the operator's thread, as the client under it.
class PatientClient : public Client {
 public:
  using Observer = std::function<void(const char* verb, const std::string& path, int http_status)>;
  struct Limits {
    std::size_t in_flight = 100;
    int per_second = 500;  ///< twice as many at once
  };
  PatientClient(boost::asio::io_context& io, std::unique_ptr<Client> client, Observer observer,
                Limits limits);
  PatientClient(boost::asio::io_context& io, std::unique_ptr<Client> client, Observer observer)
      : PatientClient(io, std::move(client), std::move(observer), Limits()) {}

  /// Calls that are not answered yet, without watches.
  std::size_t awaited() const { return in_flight_ + urgent_.size() + later_.size(); }

  void Get(const std::string& path, Callback callback) override;
  void Create(const std::string& path, const Json& object, Callback callback) override;
  void Update(const std::string& path, const Json& object, Callback callback) override;
  void Apply(const std::string& path, Patch kind, const Json& patch, Callback callback) override;
  void Delete(const std::string& path, const Json& options, Callback callback) override;
  std::unique_ptr<Watch> StartWatch(const std::string& path,
                                    std::function<void(const std::string&)> on_line,
                                    std::function<void(absl::Status)> on_end) override;

 private:
  using Send = std::function<void(Callback)>;
  struct Call {
    const char* verb;
    std::string path;
    Send send;
    Callback callback;
    int tries;
  };
  void Add(Call call);
  void SendWaiting();
  void Start(Call call);

  boost::asio::io_context& io_;
  const std::unique_ptr<Client> client_;
  const Observer observer_;
  const std::size_t most_in_flight_;
  Bucket rate_;
  boost::asio::steady_timer timer_;  // until the rate lets the next one go
  // Bounded by who waits for an answer: a fleet's instances, a function's status, a relay's token.
  std::deque<Call> urgent_;
  std::deque<Call> later_;  // what people read: statuses and Events
  std::size_t in_flight_ = 0;
};

}  // namespace wsf::kube
