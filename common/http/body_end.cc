// SPDX-License-Identifier: Apache-2.0
#include "common/http/body_end.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

namespace wsf::http {

namespace beast_http = boost::beast::http;

struct BodyEnd::Parser {
  beast_http::response_parser<beast_http::buffer_body> beast;
  std::array<char, 4096> scratch;  // the decoded body, which nobody wants
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
  std::size_t taken = 0;
  while (!done() && taken < bytes.size()) {
    auto& body = parser_->beast.get().body();
    body.data = parser_->scratch.data();
    body.size = parser_->scratch.size();
    body.more = true;
    boost::beast::error_code error;
    const std::size_t used =
        parser_->beast.put(boost::asio::buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += used;
    if (error == beast_http::error::need_more && used == 0) break;
    const bool goes_on =
        !error || error == beast_http::error::need_buffer || error == beast_http::error::need_more;
    parser_->broken = !goes_on;
  }
  return taken;
}

}  // namespace wsf::http
