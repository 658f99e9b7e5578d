// SPDX-License-Identifier: Apache-2.0
#include "common/http/authority.h"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>

#include "absl/strings/ascii.h"

namespace wsf::http {
namespace {

bool IsPort(std::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(),
                                         [](unsigned char c) { return absl::ascii_isdigit(c); });
}

// A reg-name: unreserved, sub-delims, and what is percent-encoded.
bool IsHost(std::string_view text) {
  constexpr std::string_view kMarks = "-._~!$&'()*+,;=%";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != kMarks.npos;
  });
}

bool IsAddress6(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address_v6(std::string(text), error);
  return !error;
}

}  // namespace

std::string NormalHost(std::string_view host) {
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return absl::AsciiStrToLower(absl::string_view(host.data(), host.size()));
}

std::optional<Authority> ParseAuthority(std::string_view text) {
  const bool is_address6 = !text.empty() && text.front() == '[';
  const std::size_t end = is_address6 ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(is_address6 ? 1 : 0, is_address6 ? end - 1 : end);
  std::string_view rest = text.substr(is_address6 ? end + 1 : end);
  if (!(is_address6 ? IsAddress6(host) : IsHost(host))) return std::nullopt;
  if (!rest.empty() && rest.front() != ':') return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  if (!IsPort(rest)) return std::nullopt;
  return Authority{NormalHost(host), std::string(rest)};
}

}  // namespace wsf::http
