// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace wsf::door {

/// What a load balancer says of a connection in front of its first byte: the PROXY protocol,
/// version 1 or 2.
struct ProxyHeader {
  std::size_t size = 0;   ///< bytes it takes
  std::string client_ip;  ///< "" where the balancer speaks for itself or does not know
};

/// The longest header that is read: version 2 with TLVs that fit one segment.
inline constexpr std::size_t kMaxProxyHeaderBytes = 536;

/// Reads the header at the front of `bytes`; nothing while it is incomplete. InvalidArgument: it is
/// none.
absl::StatusOr<std::optional<ProxyHeader>> ReadProxyHeader(std::string_view bytes);

}  // namespace wsf::door
