// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/http/refusal.h"
#include "common/net/admission.h"
#include "common/net/connection.h"
#include "common/net/deadline.h"
#include "common/tls/server.h"
#include "gateway/door/trusted.h"

namespace wsf::door {

/// A client whose connection stands: admitted, its address known, TLS under it where it wants some.
struct Arrival {
  net::Connection connection;
  Client client;
  TimePoint head_until;  ///< by when its request head must be here (faults.md 34)
};

/// One listening address: turns accepted sockets into arrivals.
///
/// Threading: confined to the io_context's thread. Outlives what it accepted.
class Door {
 public:
  enum class Speaks { kPlain, kTls, kEither };
  struct Options {
    Speaks speaks = Speaks::kPlain;
    /// Trusted addresses begin with a PROXY protocol header, and must.
    bool expects_proxy_header = false;
  };
  /// What all doors share. `tls` may be nullptr where all speak plain.
  struct Parts {
    net::Admission& admission;
    const Trusted& trusted;
    tls::Server* tls;
    std::function<void(Arrival)> on_arrival;
    std::function<void(const http::Refusal&, const std::string& request_id)> on_refused;
  };

  Door(Options options, Parts parts) : options_(options), parts_(std::move(parts)) {}

  void Take(net::Connection::Socket socket);

 private:
  net::awaitable<void> Receive(net::Connection connection);
  /// Counts and logs the refusal; its HTTP answer.
  std::string Refuse(const http::Refusal& refusal);
  /// Reads the PROXY header. DeadlineExceeded; Unavailable: the peer left without a word;
  /// InvalidArgument says what is wrong.
  net::awaitable<absl::Status> ReadProxy(net::Connection& connection, const net::Deadline& deadline,
                                         Client& client);
  net::awaitable<std::optional<http::Refusal>> StartTls(net::Connection& connection, Client& client,
                                                        TimePoint until);
  /// The first byte, which is left where it is; nothing when there comes none.
  net::awaitable<std::optional<char>> FirstByte(net::Connection& connection,
                                                const net::Deadline& deadline);

  const Options options_;
  const Parts parts_;
  int turning_away_ = 0;
};

}  // namespace wsf::door
