// SPDX-License-Identifier: Apache-2.0
#include "common/http/body_end.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <string>

namespace wsf::http {

namespace beast_http = boost::beast::http;

struct BodyEnd::Parser {
  beast_http::response_parser<beast_http::buffer_body> beast;
  std::array<char, 4096> scratch;  // the decoded body, which nobody wants
  std::string open;                // taken, but not understood until more comes
  bool broken = false;
};

BodyEnd::BodyEnd() : parser_(std::make_unique<Parser>()) {
  parser_->beast.body_limit(std::numeric_limits<std::uint64_t>::max());
  parser_->beast.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser_->beast.eager(true);
}

BodyEnd::~BodyEnd() = default;

bool BodyEnd::done() const { return parser_->broken || parser_->beast.is_done(); }

std::size_t BodyEnd::Take(std::string_view bytes) {
  std::string& open = parser_->open;
  open.append(bytes);
  std::size_t parsed = 0;
  while (!done() && parsed < open.size()) {
    auto& body = parser_->beast.get().body();
    body.data = parser_->scratch.data();
    body.size = parser_->scratch.size();
    body.more = true;
    boost::beast::error_code error;
    const std::size_t used =
        parser_->beast.put(boost::asio::buffer(open.data() + parsed, open.size() - parsed), error);
    parsed += used;
    if (error == beast_http::error::need_more && used == 0) break;  // a chunk's head, cut in two
    const bool goes_on =
        !error || error == beast_http::error::need_buffer || error == beast_http::error::need_more;
    parser_->broken = !goes_on;
  }
  open.erase(0, parsed);
  // What was cut belongs to the answer; only what follows its end does not.
  return done() ? bytes.size() - std::min(bytes.size(), open.size()) : bytes.size();
}

}  // namespace wsf::http
