// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "common/net/await.h"
#include "wsf/v1/instance.pb.h"

namespace wsf::report {

/// Reports to the operator through wsf-report, one process a call: gRPC would cost the sidecar 5 to
/// 11 MB and 7 threads for the whole session, a spawned helper costs 8 ms CPU twice. The relay
/// goes on meanwhile.
class Reporter {
 public:
  /// `command` is wsf-report with its flags.
  Reporter(boost::asio::io_context& io, std::vector<std::string> command)
      : io_(io), command_(std::move(command)) {}

  enum class Verdict { kAcknowledged, kTryAgain, kRefused };
  struct Answer {
    Verdict verdict = Verdict::kTryAgain;
    std::string output;  ///< the serialized response when acknowledged
  };

  /// One call, at most 6 s.
  net::awaitable<Answer> Call(v1::Report report);

 private:
  boost::asio::io_context& io_;
  std::vector<std::string> command_;
};

/// Exit statuses of wsf-report.
inline constexpr int kExitAcknowledged = 0;
inline constexpr int kExitTryAgain = 1;  ///< not reached, or not now
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 4;  ///< the operator says no, and will again

}  // namespace wsf::report
