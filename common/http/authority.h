// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wsf::http {

/// What a Host field, or the authority of an Origin, names.
struct Authority {
  std::string host;  ///< in lower case, without a last dot or brackets
  std::string port;  ///< digits, or ""
};

/// Reads host, host:port, [v6] or [v6]:port (RFC 9110 7.2, RFC 3986 3.2.2); nothing when it is
/// none.
std::optional<Authority> ParseAuthority(std::string_view text);

/// The path and query of a target, if it is one or an absolute URL of `host`, what its Host field
/// says (RFC 9112 3.2.2); nothing for any other.
std::optional<std::string> PathOfTarget(std::string_view target, std::string_view host);

/// The one form of a host's name in which two are compared: lower case, without the last dot of a
/// fully qualified one.
std::string NormalHost(std::string_view host);

/// Whether `authority` (host or host:port) names this machine: localhost, *.localhost, 127.0.0.0/8
/// or [::1].
bool IsLoopbackName(std::string_view authority);

}  // namespace wsf::http
