// SPDX-License-Identifier: Apache-2.0
#include "cli/connect.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <cstdio>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "common/http/authority.h"

namespace wsf::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

struct ConnectFlags {
  std::string url;
  std::vector<std::string> headers;
  std::vector<std::string> subprotocols;
};

struct Url {
  bool tls = false;
  std::string host;
  std::string port;
  std::string authority;  // for the Host field: the port where it was given
  std::string target;
};

// RFC 6455 3 and RFC 3986: a fragment is the client's own, and has no place in a request.
std::optional<Url> ParseUrl(const std::string& text) {
  Url url;
  absl::string_view rest = text;
  url.tls = absl::ConsumePrefix(&rest, "wss://");
  if (!url.tls && !absl::ConsumePrefix(&rest, "ws://")) return std::nullopt;
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.authority = std::string(rest.substr(0, end));
  const auto parts = http::ParseAuthority(url.authority);
  int port = 0;
  if (!parts) return std::nullopt;
  url.host = parts->host;
  url.port = parts->port.empty() ? (url.tls ? "443" : "80") : parts->port;
  if (!absl::SimpleAtoi(url.port, &port) || port > 65535) return std::nullopt;
  url.target = std::string(rest.substr(end));
  if (url.target.substr(0, 1) != "/") url.target.insert(0, "/");
  return url;
}

int Fail(const std::string& what, int status) {
  std::fprintf(stderr, "wsf connect: %s\n", what.c_str());
  return status;
}

/// One connection: lines of standard input go out as text messages, what comes is printed.
template <typename Next>
class Client {
 public:
  using Stream = websocket::stream<Next>;
  Client(asio::io_context& io, Stream stream) : io_(io), stream_(std::move(stream)) {}

  int Run(const ConnectFlags& flags, const Url& url) {
    stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      for (const std::string& header : flags.headers) {
        const std::size_t colon = header.find(':');
        request.insert(
            header.substr(0, colon),
            header.substr(std::min(header.size(), header.find_first_not_of(" ", colon + 1))));
      }
      std::string offered;
      for (const std::string& each : flags.subprotocols) {
        offered += (offered.empty() ? "" : ", ") + each;
      }
      if (!offered.empty()) request.set("Sec-WebSocket-Protocol", offered);
    }));
    websocket::response_type answer;
    beast::error_code error;
    const auto start = std::chrono::steady_clock::now();
    stream_.handshake(answer, url.authority, url.target, error);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    if (error) return Fail("no WebSocket here: " + error.message(), kExitFailed);
    PrintAnswer(answer, static_cast<int>(took.count()));
    stream_.control_callback([](websocket::frame_type kind, beast::string_view payload) {
      if (kind == websocket::frame_type::ping) {
        std::fprintf(stderr, "* ping %s\n", std::string(payload).c_str());
      }
    });
    Read();
    std::thread input([this] { ReadLines(); });
    input.detach();  // it may sit in getline for ever; the process ends without it
    io_.run();
    return status_;
  }

 private:
  static void PrintAnswer(const websocket::response_type& answer, int milliseconds) {
    std::fprintf(stderr, "< HTTP %d %s, %d ms\n", static_cast<int>(answer.result_int()),
                 std::string(answer.reason()).c_str(), milliseconds);
    for (const auto& field : answer) {
      const std::string name(field.name_string());
      const bool shown = name.rfind("X-Wsf-", 0) == 0 || name.rfind("Sec-WebSocket-", 0) == 0;
      if (shown && name != "Sec-WebSocket-Accept") {
        std::fprintf(stderr, "< %s: %s\n", name.c_str(), std::string(field.value()).c_str());
      }
    }
  }

  void ReadLines() {
    for (std::string line; std::getline(std::cin, line);) {
      asio::post(io_, [this, line] {
        queue_.push_back(line);
        if (queue_.size() == 1) Write();
      });
    }
    asio::post(io_, [this] {
      closing_ = true;
      if (queue_.empty()) Close();
    });
  }

  void Write() {
    stream_.text(true);
    stream_.async_write(asio::buffer(queue_.front()), [this](beast::error_code error, std::size_t) {
      if (error) return;
      queue_.pop_front();
      if (!queue_.empty()) return Write();
      if (closing_) Close();
    });
  }

  // The answers to the last lines may still be on their way.
  void Close() {
    linger_.expires_after(std::chrono::milliseconds(300));
    linger_.async_wait([this](beast::error_code) {
      stream_.async_close(websocket::close_code::normal, [this](beast::error_code error) {
        OnEnd(error ? error : websocket::error::closed);
      });
    });
  }

  void Read() {
    stream_.async_read(buffer_, [this](beast::error_code error, std::size_t) {
      if (error) return OnEnd(error);
      const std::string message = beast::buffers_to_string(buffer_.data());
      buffer_.clear();
      if (stream_.got_text()) {
        std::printf("%s\n", message.c_str());
      } else {
        std::printf("[%zu bytes]\n", message.size());
      }
      std::fflush(stdout);
      Read();
    });
  }

  void OnEnd(beast::error_code error) {
    if (error == asio::error::operation_aborted) return;  // our own Close tells the end
    const websocket::close_reason& reason = stream_.reason();
    if (error == websocket::error::closed) {
      std::fprintf(stderr, "* closed %d %s\n", static_cast<int>(reason.code),
                   reason.reason.c_str());
      const bool well = reason.code == websocket::close_code::normal ||
                        reason.code == websocket::close_code::none;
      status_ = well ? 0 : kExitFailed;
    } else {
      std::fprintf(stderr, "* connection lost (1006): %s\n", error.message().c_str());
      status_ = kExitFailed;
    }
    io_.stop();
  }

  asio::io_context& io_;
  Stream stream_;
  asio::steady_timer linger_{io_};
  beast::flat_buffer buffer_;
  std::deque<std::string> queue_;
  bool closing_ = false;
  int status_ = kExitFailed;
};

int RunConnect(const ConnectFlags& flags) {
  const std::optional<Url> url = ParseUrl(flags.url);
  if (!url) return Fail("give a URL like ws://localhost:8080/", kExitUsage);
  for (const std::string& header : flags.headers) {
    if (header.find(':') == std::string::npos || header.find_first_of("\r\n") != header.npos) {
      return Fail("-H takes 'Name: value', not " + header, kExitUsage);
    }
  }
  asio::io_context io;
  tcp::resolver resolver(io);
  beast::error_code error;
  // RFC 6761: localhost is this machine, whatever a resolver says or does not say.
  const std::string host = url->host == "localhost" ? "127.0.0.1" : url->host;
  const auto addresses = resolver.resolve(host, url->port, error);
  if (error) return Fail("cannot find " + url->host + ": " + error.message(), kExitFailed);
  tcp::socket socket(io);
  asio::connect(socket, addresses, error);
  if (error) {
    return Fail("cannot connect to " + url->authority + ": " + error.message() + "; is it running?",
                kExitFailed);
  }
  if (!url->tls) {
    Client<tcp::socket> client(io, websocket::stream<tcp::socket>(std::move(socket)));
    return client.Run(flags, *url);
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths(error);
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<tcp::socket> stream(std::move(socket), tls);
  asio::ip::make_address(url->host, error);
  if (!error) {  // an address is no server name
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream.native_handle()), url->host.c_str());
  } else {
    SSL_set_tlsext_host_name(stream.native_handle(), url->host.c_str());
    SSL_set1_host(stream.native_handle(), url->host.c_str());
  }
  stream.handshake(asio::ssl::stream_base::client, error);
  if (error) return Fail("TLS: " + error.message(), kExitFailed);
  Client<beast::ssl_stream<tcp::socket>> client(
      io, websocket::stream<beast::ssl_stream<tcp::socket>>(std::move(stream)));
  return client.Run(flags, *url);
}

}  // namespace

void AddConnect(CLI::App* app, int* status) {
  const auto flags = std::make_shared<ConnectFlags>();
  CLI::App* connect = app->add_subcommand("connect", "A WebSocket client for people and scripts.");
  connect->add_option("url", flags->url, "ws://HOST:PORT/PATH or wss://...")->required();
  connect->add_option("-H,--header", flags->headers, "a header, as in 'Name: value'")
      ->allow_extra_args(false);
  connect->add_option("-s,--subprotocol", flags->subprotocols, "offered subprotocol")
      ->allow_extra_args(false);
  connect->callback([flags, status] { *status = RunConnect(*flags); });
}

}  // namespace wsf::cli
