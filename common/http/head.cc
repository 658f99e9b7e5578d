// SPDX-License-Identifier: Apache-2.0
#include "common/http/head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace wsf::http {
namespace {

namespace beast_http = boost::beast::http;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }
template <typename BeastView>
std::string Copy(const BeastView& text) {
  return std::string(text.data(), text.size());
}

// What Beast 1.74 lets pass and what smuggling is made of.
absl::Status CheckLines(std::string_view head) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    const char previous = i > 0 ? head[i - 1] : '\0';
    if (head[i] == '\0') return absl::InvalidArgumentError("a NUL byte in the head");
    if (head[i] == '\n' && previous != '\r') return absl::InvalidArgumentError("a bare LF");
    if (previous == '\r' && head[i] != '\n') return absl::InvalidArgumentError("a bare CR");
    if (previous == '\n' && (head[i] == ' ' || head[i] == '\t')) {
      return absl::InvalidArgumentError("a folded header line");
    }
  }
  return absl::OkStatus();
}

template <typename Parser>
absl::Status RunParser(std::string_view head, Parser* parser) {
  if (absl::Status lines = CheckLines(head); !lines.ok()) return lines;
  boost::beast::error_code error;
  parser->header_limit(std::numeric_limits<std::uint32_t>::max());  // the reader has its own limit
  parser->skip(true);
  parser->put(boost::asio::buffer(head.data(), head.size()), error);
  if (error) return absl::InvalidArgumentError(error.message());
  if (!parser->is_header_done()) return absl::InvalidArgumentError("an incomplete head");
  return absl::OkStatus();
}

template <typename BeastFields>
Fields CopyFields(const BeastFields& from) {
  Fields fields;
  for (const auto& field : from) fields.Add(Copy(field.name_string()), Copy(field.value()));
  return fields;
}

void AppendFields(const Fields& fields, std::string* out) {
  for (const Field& field : fields) absl::StrAppend(out, field.name, ": ", field.value, "\r\n");
  out->append("\r\n");
}

// Where the element at the front of a list ends: at the first comma outside of quotes.
std::size_t ElementSize(std::string_view list) {
  bool quoted = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (quoted && list[i] == '\\') {
      ++i;
    } else if (list[i] == '"') {
      quoted = !quoted;
    } else if (list[i] == ',' && !quoted) {
      return i;
    }
  }
  return list.size();
}

void SplitList(std::string_view list, std::vector<std::string_view>* elements) {
  while (!list.empty()) {
    const std::size_t size = ElementSize(list);
    const absl::string_view element = absl::StripAsciiWhitespace(View(list.substr(0, size)));
    if (!element.empty()) elements->emplace_back(element.data(), element.size());
    list.remove_prefix(std::min(list.size(), size + 1));
  }
}

// A status line that ends behind its three digits lacks a space, which Beast insists on; browsers
// and others do without (RFC 9112 4: what a recipient may make of it).
std::string WithReasonSpace(std::string_view head) {
  constexpr std::size_t kStatusEnd = std::string_view("HTTP/1.1 101").size();
  std::string whole(head);
  if (whole.substr(std::min(kStatusEnd, whole.size()), 2) == "\r\n") whole.insert(kStatusEnd, " ");
  return whole;
}

}  // namespace

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(View(a), View(b));
}

void Fields::Add(std::string_view name, std::string_view value) {
  fields_.push_back({std::string(name), std::string(value)});
}

void Fields::Remove(std::string_view name) {
  RemoveIf([&](const Field& field) { return EqualIgnoringCase(field.name, name); });
}

std::size_t Fields::Count(std::string_view name) const {
  std::size_t count = 0;
  for (const Field& field : fields_) count += EqualIgnoringCase(field.name, name) ? 1 : 0;
  return count;
}

std::optional<std::string_view> Fields::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (EqualIgnoringCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Fields::List(std::string_view name) const {
  std::vector<std::string_view> elements;
  for (const Field& field : fields_) {
    if (EqualIgnoringCase(field.name, name)) SplitList(field.value, &elements);
  }
  return elements;
}

bool Fields::HasToken(std::string_view name, std::string_view token) const {
  for (const std::string_view element : List(name)) {
    if (EqualIgnoringCase(element, token)) return true;
  }
  return false;
}

std::optional<std::size_t> HeadSize(std::string_view bytes) {
  // An empty line however it is written, so that a head of bare LFs is refused and not waited for.
  const std::size_t crlf = bytes.find("\n\r\n");
  const std::size_t lf = bytes.substr(0, crlf).find("\n\n");
  if (lf != std::string_view::npos) return lf + 2;
  if (crlf == std::string_view::npos) return std::nullopt;
  return crlf + 3;
}

absl::StatusOr<RequestHead> ParseRequestHead(std::string_view head) {
  if (head.substr(0, 2) == "\r\n") head.remove_prefix(2);
  beast_http::request_parser<beast_http::empty_body> parser;
  if (absl::Status status = RunParser(head, &parser); !status.ok()) return status;
  const auto& message = parser.get();
  return RequestHead{Copy(message.method_string()), Copy(message.target()),
                     static_cast<int>(message.version()), CopyFields(message)};
}

absl::StatusOr<AnswerHead> ParseAnswerHead(std::string_view head) {
  beast_http::response_parser<beast_http::empty_body> parser;
  if (absl::Status status = RunParser(WithReasonSpace(head), &parser); !status.ok()) return status;
  const auto& message = parser.get();
  return AnswerHead{static_cast<int>(message.result_int()), Copy(message.reason()),
                    static_cast<int>(message.version()), CopyFields(message)};
}

std::string Write(const RequestHead& head) {
  std::string out = absl::StrCat(head.method, " ", head.target, " HTTP/1.1\r\n");
  AppendFields(head.fields, &out);
  return out;
}

std::string Write(const AnswerHead& head) {
  std::string out = absl::StrCat("HTTP/1.1 ", head.status, " ", head.reason, "\r\n");
  AppendFields(head.fields, &out);
  return out;
}

}  // namespace wsf::http
