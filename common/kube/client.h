// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"

namespace wsf::kube {

using Json = nlohmann::json;

/// The answer to one request. `status` 0: none came (see `error`), the outcome is unknown.
struct Response {
  int status = 0;
  Json body;         ///< discarded when the answer is not JSON
  std::string text;  ///< the answer as it came
  std::string error;
  std::chrono::seconds retry_after{};  ///< what the server asks for; 0 = nothing

  bool ok() const { return status >= 200 && status < 300; }
  /// The API's own message, else `error`.
  std::string Message() const;
};

enum class Patch { kMerge, kJson };

/// The Kubernetes API, as much of it as the operator needs. Callbacks run on the operator's thread,
/// never within the call.
class Client {
 public:
  using Callback = std::function<void(Response)>;

  virtual ~Client() = default;

  virtual void Get(const std::string& path, Callback callback) = 0;
  virtual void Create(const std::string& path, const Json& object, Callback callback) = 0;
  virtual void Update(const std::string& path, const Json& object, Callback callback) = 0;
  virtual void Apply(const std::string& path, Patch kind, const Json& patch, Callback callback) = 0;
  /// `options` is a DeleteOptions object.
  virtual void Delete(const std::string& path, const Json& options, Callback callback) = 0;

  /// A running watch; destroying it stops the callbacks.
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  /// Streams the lines of a watch, or those of an answer that refuses it. `on_end` is called once:
  /// FailedPrecondition when the answer was any but 200, Unavailable when the connection broke.
  virtual std::unique_ptr<Watch> StartWatch(const std::string& path,
                                            std::function<void(const std::string& line)> on_line,
                                            std::function<void(absl::Status)> on_end) = 0;
};

}  // namespace wsf::kube
