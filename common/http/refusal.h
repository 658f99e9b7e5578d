// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/base/reason.h"

namespace wsf::http {

/// An answer of the platform in the server's place: a row of table 7.1.
struct Refusal {
  int http_status = 500;
  int code = 0;  ///< function status code; 0 where the table has none (H01, H23, H28, H29)
  std::string reason;
  std::string message;          ///< one sentence for the client: what is wrong and what to do
  int retry_after_seconds = 0;  ///< 0 = no Retry-After
  /// What the API, a kubelet or a registry says: for condition, Event and log, never for a client.
  std::string detail = {};
  /// Waiting may cure it: a cluster has room again, a slow registry has answered (K04).
  bool may_pass = false;
};

/// For the owner of the function: the message, and the detail behind it.
std::string FullMessage(const Refusal& refusal);

/// The rows whose text does not depend on anything.
Refusal NotAnUpgrade();                                      // H01
Refusal UnknownFunction();                                   // H02
Refusal HeadTooLarge();                                      // H23
Refusal HeadTooSlow();                                       // faults.md 34
Refusal TlsFailed(std::string_view what);                    // H24; the client got an alert
Refusal OriginNotAllowed();                                  // H28
Refusal BadRequest(int http_status, std::string_view what);  // H29
Refusal WaitingQueueFull();                                  // H30
Refusal ServerBroken(std::string_view what);                 // H19
Refusal ServerExited();                                      // H20
Refusal HandshakeTimedOut();                                 // H22
Refusal InstanceLost();                                      // H26
Refusal NoOperator();                                        // H32
Refusal GatewayDraining();                                   // H31
/// A handshake that the platform ends before its 101, as the record says it (P15, P20, P23).
Refusal Stopped(int code, Reason reason);
Refusal GatewayFull();    // H31
Refusal WaitedTooLong();  // H15

/// What is said of a head that was not read: too large (ResourceExhausted), too slow
/// (DeadlineExceeded), else malformed. REQUIRES: `status` is not OK.
Refusal UnreadHead(const absl::Status& status);

/// The whole HTTP answer: JSON body of behaviour.md 4.1, the X-Wsf-* headers, `Connection: close`.
/// `request_id` may be empty.
std::string RefusalAnswer(const Refusal& refusal, std::string_view request_id);

/// The standard phrase of an HTTP status ("Not Found").
std::string_view StatusPhrase(int http_status);

}  // namespace wsf::http
