// SPDX-License-Identifier: Apache-2.0
#include "standalone/api/server.h"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <deque>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/time.h"
#include "common/http/authority.h"
#include "common/net/await.h"
#include "common/net/endpoint.h"
#include "common/net/listener.h"

namespace wsf::api {
namespace {

namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using BeastRequest = beast_http::request<beast_http::string_body>;

constexpr auto kBookmarks = std::chrono::seconds(15);
constexpr std::size_t kMaxBodyBytes = 4 << 20;
constexpr std::size_t kMaxForwardedBytes = 64 << 20;
constexpr auto kForwardTime = std::chrono::seconds(10);
// For its TLS handshake: whoever is silent holds a descriptor.
constexpr auto kHandshakeTime = std::chrono::seconds(10);
// Between two requests of a connection: longer than clients keep one that they do not use.
constexpr auto kIdleTime = std::chrono::minutes(2);
// For taking an answer, or a part of a watch.
constexpr auto kWriteTime = std::chrono::seconds(60);
// Of one watch whose client does not read.
constexpr std::size_t kMaxQueuedLines = 4096;

std::string Decode(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::SimpleHexAtoi(text.substr(i + 1, 2), &code)) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

template <typename BeastView>
std::string Copy(const BeastView& text) {
  return std::string(text.data(), text.size());
}

Request ToRequest(const BeastRequest& from) {
  Request request;
  const std::string target = Copy(from.target());
  const std::size_t question = target.find('?');
  request.method = Copy(from.method_string());
  request.path = Decode(target.substr(0, question));
  if (question != std::string::npos) {
    request.raw_query = target.substr(question + 1);
    for (const absl::string_view part : absl::StrSplit(target.substr(question + 1), '&')) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      request.query[Decode(pair.first)] = Decode(pair.second);
    }
  }
  request.accept = Copy(from[beast_http::field::accept]);
  request.content_type = Copy(from[beast_http::field::content_type]);
  request.user_agent = Copy(from[beast_http::field::user_agent]);
  request.wsf_token = Copy(from["X-Wsf-Token"]);
  request.body = from.body();
  return request;
}

// A page in a browser has an Origin; a rebound name has another Host.
bool IsFromPage(const BeastRequest& request) {
  const std::string host = Copy(request[beast_http::field::host]);
  return request.count(beast_http::field::origin) > 0 || !http::IsLoopbackName(host);
}

std::string Chunk(const std::string& text) {
  return absl::StrFormat("%x\r\n", text.size()) + text + "\r\n";
}

}  // namespace

struct Server::Inside : std::enable_shared_from_this<Server::Inside> {
  Inside(boost::asio::io_context& its_io, Router* its_router, Store* its_store)
      : io(its_io),
        tls(boost::asio::ssl::context::tls_server),
        router(its_router),
        store(its_store) {}

  net::awaitable<void> Serve(boost::asio::ip::tcp::socket socket);
  /// Returns whether the connection can be used again.
  net::awaitable<bool> Answer(Stream& stream, BeastRequest request);
  net::awaitable<void> StreamWatch(Stream& stream, Watch watch);
  net::awaitable<Reply> Forward(Proxy proxy);

  boost::asio::io_context& io;
  boost::asio::ssl::context tls;
  Router* const router;
  Store* const store;
};

Server::Server(boost::asio::io_context& io, const std::string& authority, const tls::KeyPair& own,
               Router* router, Store* store)
    : inside_(std::make_shared<Inside>(io, router, store)) {
  namespace ssl = boost::asio::ssl;
  ssl::context& tls = inside_->tls;
  tls.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  tls.use_certificate_chain(boost::asio::buffer(own.certificate));
  tls.use_private_key(boost::asio::buffer(own.key), ssl::context::pem);
  tls.add_certificate_authority(boost::asio::buffer(authority));
  tls.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
}

Server::~Server() = default;

absl::Status Server::Start(const std::string& address) {
  absl::StatusOr<net::Acceptor> acceptor = net::Listen(inside_->io, address);
  if (!acceptor.ok()) return acceptor.status();
  net::Spawn(inside_->io.get_executor(),
             net::AcceptAll(*std::move(acceptor), [inside = inside_](auto socket) {
               net::Spawn(inside->io.get_executor(), inside->Serve(std::move(socket)));
             }));
  return absl::OkStatus();
}

net::awaitable<void> Server::Inside::Serve(boost::asio::ip::tcp::socket socket) {
  const auto self = shared_from_this();
  net::error_code error;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), error);
  Stream stream(std::move(socket), tls);
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(kHandshakeTime);
  co_await stream.async_handshake(boost::asio::ssl::stream_base::server, net::Await(error));
  beast::flat_buffer buffer;
  bool again = true;
  while (!error && again) {
    beast_http::request_parser<beast_http::string_body> parser;
    parser.body_limit(kMaxBodyBytes);
    lowest.expires_after(kIdleTime);
    co_await beast_http::async_read(stream, buffer, parser, net::Await(error));
    if (!error) again = co_await Answer(stream, parser.release());
  }
  beast::get_lowest_layer(stream).close();
}

net::awaitable<bool> Server::Inside::Answer(Stream& stream, BeastRequest request) {
  const bool keep_alive = request.keep_alive();
  std::variant<Reply, Watch, Proxy> answer;
  if (IsFromPage(request)) {
    answer = ErrorReply({403, "Forbidden", "web pages may not use this API"});
  } else {
    answer = router->Handle(ToRequest(request));
  }
  if (Watch* watch = std::get_if<Watch>(&answer)) {
    co_await StreamWatch(stream, std::move(*watch));
    co_return false;
  }
  if (Proxy* proxy = std::get_if<Proxy>(&answer)) answer = co_await Forward(std::move(*proxy));
  Reply& reply = std::get<Reply>(answer);
  beast_http::response<beast_http::string_body> response;
  response.version(11);
  response.result(static_cast<unsigned>(reply.status));
  response.set(beast_http::field::content_type, reply.content_type);
  for (const std::string& each : reply.warnings) {
    response.insert(beast_http::field::warning, each);
  }
  response.body() = std::move(reply.body);
  response.keep_alive(keep_alive);
  response.prepare_payload();
  net::error_code error;
  beast::get_lowest_layer(stream).expires_after(kWriteTime);
  co_await beast_http::async_write(stream, response, net::Await(error));
  co_return keep_alive && !error;
}

net::awaitable<Reply> Server::Inside::Forward(Proxy proxy) {
  const Reply unavailable =
      ErrorReply({503, "ServiceUnavailable", "the operator does not answer; is it starting?"});
  const auto endpoint = net::ParseEndpoint(proxy.address);
  if (!endpoint) co_return unavailable;
  // As an API server does: whose certificate it is, is not looked at.
  boost::asio::ssl::context any(boost::asio::ssl::context::tls_client);
  beast::ssl_stream<beast::tcp_stream> stream(io, any);
  beast::tcp_stream& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(kForwardTime);
  net::error_code error;
  co_await lowest.async_connect(*endpoint, net::Await(error));
  if (error) co_return unavailable;
  co_await stream.async_handshake(boost::asio::ssl::stream_base::client, net::Await(error));
  if (error) co_return unavailable;
  beast_http::request<beast_http::empty_body> request;
  request.version(11);
  request.method_string(proxy.method);
  request.target(proxy.target);
  request.set(beast_http::field::host, proxy.address);
  request.set(beast_http::field::connection, "close");
  request.set("X-Wsf-Token", proxy.wsf_token);
  request.prepare_payload();
  co_await beast_http::async_write(stream, request, net::Await(error));
  if (error) co_return unavailable;
  beast::flat_buffer buffer;
  beast_http::response_parser<beast_http::string_body> parser;
  parser.body_limit(kMaxForwardedBytes);
  co_await beast_http::async_read(stream, buffer, parser, net::Await(error));
  if (error) co_return unavailable;
  const auto response = parser.release();
  Reply reply;
  reply.status = static_cast<int>(response.result_int());
  reply.content_type = Copy(response[beast_http::field::content_type]);
  reply.body = response.body();
  co_return reply;
}

// Changes go into a queue as they happen and out as the client takes them.
net::awaitable<void> Server::Inside::StreamWatch(Stream& stream, Watch watch) {
  std::deque<std::string> lines;
  boost::asio::steady_timer wake(io);
  std::uint64_t last = store->version();
  const auto take = [&](const Change& change) {
    last = change.version;
    const auto seen = watch.Seen(change);
    if (!seen) return;
    lines.push_back(watch.Line(*seen, UnixMicros()));
    wake.cancel();
  };
  if (watch.from_now) {
    for (const Store::Object& each : store->List(*watch.resource, watch.ns)) {
      take(Change{last, Change::Type::kAdded, watch.resource, each, nullptr});
    }
    if (watch.initial_events) {
      lines.push_back(watch.Bookmark(last, Watch::Bookmarked::kInitialEvents));
    }
  } else if (!store->Reaches(watch.version)) {
    const Error gone = {410, "Expired", "too old resource version"};
    lines.push_back(Json{{"type", "ERROR"}, {"object", StatusObject(gone)}}.dump() + "\n");
  } else {
    for (const Change& each : store->Since(watch.version)) take(each);
  }
  bool is_behind = false;
  const std::shared_ptr<void> subscription = store->Subscribe([&](const Change& change) {
    is_behind |= lines.size() >= kMaxQueuedLines;
    if (!is_behind) take(change);
  });

  std::string out =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const TimePoint start = std::chrono::steady_clock::now();
  const TimePoint end = watch.timeout_seconds > 0
                            ? start + std::chrono::seconds(watch.timeout_seconds)
                            : TimePoint::max();
  net::error_code error;
  while (!error) {
    if (is_behind) co_return;  // cut off, it lists anew
    for (const std::string& line : lines) out += Chunk(line);
    lines.clear();
    if (!out.empty()) {
      beast::get_lowest_layer(stream).expires_after(kWriteTime);
      co_await boost::asio::async_write(stream, boost::asio::buffer(out), net::Await(error));
    }
    out.clear();
    const TimePoint now = std::chrono::steady_clock::now();
    if (now >= end || error) break;
    if (!lines.empty()) continue;
    const TimePoint bookmark = now + kBookmarks;
    wake.expires_at(std::min(end, bookmark));
    net::error_code ignored;
    co_await wake.async_wait(net::Await(ignored));
    if (std::chrono::steady_clock::now() >= bookmark) lines.push_back(watch.Bookmark(last));
  }
  if (error) co_return;
  beast::get_lowest_layer(stream).expires_after(kWriteTime);
  const std::string last_chunk = "0\r\n\r\n";
  co_await boost::asio::async_write(stream, boost::asio::buffer(last_chunk), net::Await(error));
}

}  // namespace wsf::api
