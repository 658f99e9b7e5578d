// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/kube/client.h"

namespace wsf::kube {

/// A Client that does what an overloaded API server asks for: a call answered 429 or 503 with
/// Retry-After was not carried out and is sent again then, ten times at most (faults.md 4). Each
/// answer is told to an observer.
///
/// Threading: confined to the operator's thread, as the client under it.
class PatientClient : public Client {
 public:
  using Observer = std::function<void(const char* verb, const std::string& path, int http_status)>;
  PatientClient(boost::asio::io_context& io, std::unique_ptr<Client> client, Observer observer);

  /// Calls that are not answered yet, without watches.
  std::size_t awaited() const { return awaited_; }

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
  void Try(const char* verb, const std::string& path, Send send, Callback callback, int tries);

  boost::asio::io_context& io_;
  const std::unique_ptr<Client> client_;
  const Observer observer_;
  std::size_t awaited_ = 0;
};

}  // namespace wsf::kube
