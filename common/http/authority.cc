// SPDX-License-Identifier: Apache-2.0
#include "common/http/authority.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/http/head.h"

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

std::string_view WithoutScheme(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"}) {
    if (EqualIgnoringCase(url.substr(0, scheme.size()), scheme)) return url.substr(scheme.size());
  }
  return "";
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

std::optional<std::string> PathOfTarget(std::string_view target, std::string_view host) {
  if (target.substr(0, 1) == "/") return std::string(target);
  const std::string_view rest = WithoutScheme(target);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto named = ParseAuthority(rest.substr(0, end));
  const auto said = ParseAuthority(host);
  if (!named || !said || named->host != said->host || named->port != said->port) {
    return std::nullopt;
  }
  const std::string_view path = rest.substr(end);
  return path.substr(0, 1) == "/" ? std::string(path) : "/" + std::string(path);
}

bool IsLoopbackName(std::string_view authority) {
  const auto name = ParseAuthority(authority);
  if (!name) return false;
  if (name->host == "localhost" || absl::EndsWith(name->host, ".localhost")) return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(name->host, error);
  return !error && address.is_loopback();
}

}  // namespace wsf::http
