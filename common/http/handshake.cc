// SPDX-License-Identifier: Apache-2.0
#include "common/http/handshake.h"

#include <algorithm>
#include <boost/beast/core/detail/sha1.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/http/authority.h"

namespace wsf::http {
namespace {

constexpr std::size_t kKeyLength = 24;

bool IsNumber(std::string_view text) {
  return !text.empty() && text.size() <= 3 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); });
}

// 16 bytes of base64 (RFC 6455 4.1).
bool IsKey(std::string_view text) {
  std::string bytes;
  return text.size() == kKeyLength && absl::Base64Unescape({text.data(), text.size()}, &bytes) &&
         bytes.size() == 16;
}

// Java's client says that its request has a body of 0 bytes, and some servers that their 101 has
// one: which is true.
bool SaysEmpty(const Fields& fields) {
  return fields.Count("Content-Length") == 1 && fields.Find("Content-Length") == "0";
}

// The name of an extension without its parameters.
std::string ExtensionName(std::string_view element) {
  const std::string_view name = element.substr(0, element.find(';'));
  return std::string(absl::StripAsciiWhitespace({name.data(), name.size()}));
}

std::optional<std::string_view> WhatIsWrong(const RequestHead& head) {
  const Fields& fields = head.fields;
  if (head.method != "GET") return "a WebSocket handshake is a GET request";
  if (head.version != 11) return "a WebSocket handshake needs HTTP/1.1";
  if (fields.Count("Host") != 1 || !ParseAuthority(*fields.Find("Host"))) {
    return "send exactly one Host, a name or an address";
  }
  if ((fields.Count("Content-Length") > 0 && !SaysEmpty(fields)) ||
      fields.Count("Transfer-Encoding") > 0) {
    return "a WebSocket handshake has no body";
  }
  if (fields.Count("Upgrade") != 1) return "send exactly one Upgrade";
  if (!fields.HasToken("Connection", "upgrade")) return "Connection does not name upgrade";
  for (const auto each : fields.List("Connection")) {
    if (EqualIgnoringCase(each, "host") || absl::StartsWithIgnoreCase(std::string(each), "sec-")) {
      return "Connection names a field that the server needs";
    }
  }
  if (fields.Count("Sec-WebSocket-Version") != 1 ||
      !IsNumber(*fields.Find("Sec-WebSocket-Version"))) {
    return "send exactly one Sec-WebSocket-Version, a number";
  }
  if (fields.Count("Sec-WebSocket-Key") != 1 || !IsKey(*fields.Find("Sec-WebSocket-Key"))) {
    return "send exactly one Sec-WebSocket-Key, 16 bytes in base64";
  }
  return std::nullopt;
}

bool Contains(const std::vector<std::string>& offered, std::string_view accepted) {
  return std::any_of(offered.begin(), offered.end(),
                     [&](const std::string& each) { return each == accepted; });
}

}  // namespace

std::optional<Refusal> CheckHandshake(const RequestHead& head) {
  if (head.target.size() > kMaxTargetBytes) return BadRequest(414, "the URL is over 8 KiB");
  if (head.fields.size() > kMaxFields) return HeadTooLarge();
  const auto upgrade = head.fields.Find("Upgrade");
  if (!upgrade || !EqualIgnoringCase(*upgrade, "websocket")) return NotAnUpgrade();
  if (!absl::StartsWith(head.target, "/")) {
    return BadRequest(400, "the target is neither a path nor a URL of its Host");
  }
  if (const auto wrong = WhatIsWrong(head)) return BadRequest(400, *wrong);
  return std::nullopt;
}

Offer OfferOf(const RequestHead& head) {
  Offer offer;
  offer.key = std::string(head.fields.Find("Sec-WebSocket-Key").value_or(""));
  for (const auto each : head.fields.List("Sec-WebSocket-Protocol")) {
    offer.subprotocols.emplace_back(each);
  }
  for (const auto each : head.fields.List("Sec-WebSocket-Extensions")) {
    offer.extensions.push_back(ExtensionName(each));
  }
  return offer;
}

absl::Status CheckSwitchingProtocols(const AnswerHead& head, const Offer& offer) {
  const Fields& fields = head.fields;
  const auto invalid = [](std::string_view what) {
    return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
  };
  if (head.status != 101 || head.version != 11) return invalid("not a 101 of HTTP/1.1");
  if (fields.Count("Upgrade") != 1 || !EqualIgnoringCase(*fields.Find("Upgrade"), "websocket")) {
    return invalid("its Upgrade is not websocket");
  }
  if (!fields.HasToken("Connection", "upgrade")) return invalid("its Connection lacks upgrade");
  if (fields.Count("Sec-WebSocket-Accept") != 1 ||
      *fields.Find("Sec-WebSocket-Accept") != AcceptFor(offer.key)) {
    return invalid("its Sec-WebSocket-Accept does not fit the key");
  }
  if (fields.Count("Content-Length") > 0 && !SaysEmpty(fields)) {
    return invalid("its Content-Length announces a body");
  }
  if (fields.Count("Transfer-Encoding") > 0) {
    return invalid("its Transfer-Encoding announces a body");
  }
  const auto subprotocols = fields.List("Sec-WebSocket-Protocol");
  if (subprotocols.size() > 1 ||
      (!subprotocols.empty() && !Contains(offer.subprotocols, subprotocols[0]))) {
    return invalid("it chooses a subprotocol that was not offered");
  }
  for (const auto each : fields.List("Sec-WebSocket-Extensions")) {
    if (!Contains(offer.extensions, ExtensionName(each))) {
      return invalid("it accepts an extension that was not offered");
    }
  }
  return absl::OkStatus();
}

std::uint8_t AllowedRsv(const AnswerHead& head) {
  std::uint8_t allowed = 0;
  for (const auto each : head.fields.List("Sec-WebSocket-Extensions")) {
    allowed |= ExtensionName(each) == "permessage-deflate" ? 0x40 : 0x70;
  }
  return allowed;
}

std::string AcceptFor(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  boost::beast::detail::sha1_context context;
  std::string digest(boost::beast::detail::sha1_context::digest_size, '\0');
  boost::beast::detail::init(context);
  boost::beast::detail::update(context, text.data(), text.size());
  boost::beast::detail::finish(context, digest.data());
  return absl::Base64Escape(digest);
}

void DropHopByHop(Fields* fields) {
  std::vector<std::string> named;
  for (const auto each : fields->List("Connection")) {
    // `Connection: upgrade` names the one field that is meant for the next hop.
    if (!EqualIgnoringCase(each, "upgrade")) named.emplace_back(each);
  }
  fields->RemoveIf([&](const Field& field) {
    const auto is = [&](std::string_view name) { return EqualIgnoringCase(field.name, name); };
    return is("Connection") || is("Keep-Alive") || is("TE") || is("Trailer") ||
           absl::StartsWithIgnoreCase(field.name, "Proxy-") ||
           std::any_of(named.begin(), named.end(), is);
  });
}

std::string PlainFieldName(std::string_view name) {
  const std::string plain =
      absl::StrReplaceAll(absl::string_view(name.data(), name.size()), {{"_", "-"}});
  return absl::AsciiStrToLower(plain);
}

bool IsPlatformField(std::string_view name) {
  return absl::StartsWith(PlainFieldName(name), "x-wsf-");
}

bool IsForwardingField(std::string_view name) {
  const std::string plain = PlainFieldName(name);
  return absl::StartsWith(plain, "x-forwarded-") || plain == "x-real-ip" || plain == "forwarded";
}

}  // namespace wsf::http
