// SPDX-License-Identifier: Apache-2.0
//
// The only file that includes cpprestsdk. What its 2.10.18 gets wrong is answered here: the thread
// pool is kept at two, proxies stay out, a watch is pushed into a sink that waits for its reader,
// and a POST or PATCH that it sends twice on a dying connection meets deterministic names.

#include "common/kube/rest_client.h"

#include <cpprest/http_client.h>
#include <cpprest/rawptrstream.h>
#include <pplx/threadpool.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/json/read.h"

namespace wsf::kube {
namespace {

namespace http = web::http;
using Post = std::function<void(std::function<void()>)>;
using Byte = std::uint8_t;

constexpr int kThreads = 2;
// An API server sends a bookmark about once a minute: a longer silence is a half-open connection.
constexpr auto kWatchSilence = std::chrono::seconds(90);

// Hands what is written to a consumer and takes more only when that was consumed.
class PushSink : public concurrency::streams::details::streambuf_state_manager<Byte> {
 public:
  using Consumer = std::function<void(std::string, pplx::task_completion_event<std::size_t>)>;
  explicit PushSink(Consumer consumer)
      : streambuf_state_manager(std::ios_base::out), consumer_(std::move(consumer)) {}

  bool can_seek() const override { return false; }
  bool has_size() const override { return false; }
  utility::size64_t size() const override { return 0; }
  std::size_t buffer_size(std::ios_base::openmode) const override { return 0; }
  void set_buffer_size(std::size_t, std::ios_base::openmode) override {}
  std::size_t in_avail() const override { return 0; }
  pos_type getpos(std::ios_base::openmode) const override { return pos_type(-1); }
  pos_type seekpos(pos_type, std::ios_base::openmode) override { return pos_type(-1); }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return pos_type(-1);
  }
  bool acquire(Byte*&, std::size_t&) override { return false; }
  void release(Byte*, std::size_t) override {}

 protected:
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  Byte* _alloc(std::size_t) override { return nullptr; }
  void _commit(std::size_t) override {}
  pplx::task<int_type> _putc(Byte byte) override {
    return _putn(&byte, 1).then([byte](std::size_t) { return static_cast<int_type>(byte); });
  }
  pplx::task<std::size_t> _putn(const Byte* data, std::size_t size) override {
    pplx::task_completion_event<std::size_t> consumed;
    consumer_(std::string(reinterpret_cast<const char*>(data), size), consumed);
    return pplx::create_task(consumed);
  }
  pplx::task<int_type> _bumpc() override { return End(); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return End(); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return End(); }
  pplx::task<int_type> _ungetc() override { return End(); }
  pplx::task<std::size_t> _getn(Byte*, std::size_t) override {
    return pplx::task_from_result<std::size_t>(0);
  }
  std::size_t _scopy(Byte*, std::size_t) override { return 0; }

 private:
  pplx::task<int_type> End() { return pplx::task_from_result<int_type>(traits::eof()); }

  Consumer consumer_;
};

// What the consumer of a watch shares with the callbacks that may outlive it.
struct WatchState {
  std::function<void(const std::string&)> on_line;
  std::function<void(absl::Status)> on_end;
  std::string partial;
  bool stopped = false;
};

class RestWatch : public Client::Watch {
 public:
  RestWatch(std::shared_ptr<WatchState> state, pplx::cancellation_token_source cancel)
      : state_(std::move(state)), cancel_(std::move(cancel)) {}
  ~RestWatch() override {
    state_->stopped = true;
    cancel_.cancel();
  }

 private:
  std::shared_ptr<WatchState> state_;
  pplx::cancellation_token_source cancel_;
};

void TakeLines(WatchState* state, const std::string& data) {
  state->partial += data;
  std::size_t start = 0;
  for (std::size_t end; (end = state->partial.find('\n', start)) != std::string::npos;
       start = end + 1) {
    if (!state->stopped) state->on_line(state->partial.substr(start, end - start));
  }
  state->partial.erase(0, start);
}

void Configure(const Access& access, std::chrono::seconds silence,
               http::client::http_client_config* config) {
  config->set_timeout(silence);
  config->set_ssl_context_callback([access](boost::asio::ssl::context& context) {
    context.set_options(boost::asio::ssl::context::no_tlsv1 |
                        boost::asio::ssl::context::no_tlsv1_1);
    boost::system::error_code ignored;
    if (!access.authority.empty()) {
      context.add_certificate_authority(boost::asio::buffer(access.authority), ignored);
    }
    if (!access.client_certificate.empty()) {
      context.use_certificate_chain(boost::asio::buffer(access.client_certificate), ignored);
      context.use_private_key(boost::asio::buffer(access.client_key),
                              boost::asio::ssl::context::pem, ignored);
    }
  });
}

http::client::http_client_config Configured(const Access& access, std::chrono::seconds silence) {
  http::client::http_client_config config;
  Configure(access, silence, &config);
  return config;
}

class RestClient : public Client {
 public:
  RestClient(const Access& access, Post post, std::chrono::seconds call_time)
      : access_(access),
        post_(std::move(post)),
        calls_(access.server, Configured(access, call_time)),
        watches_(access.server, Configured(access, kWatchSilence)) {}

  void Get(const std::string& path, Callback callback) override {
    Send(Request(http::methods::GET, path), std::move(callback));
  }
  void Create(const std::string& path, const Json& object, Callback callback) override {
    SendBody(http::methods::POST, path, "application/json", object, std::move(callback));
  }
  void Update(const std::string& path, const Json& object, Callback callback) override {
    SendBody(http::methods::PUT, path, "application/json", object, std::move(callback));
  }
  void Apply(const std::string& path, Patch kind, const Json& patch, Callback callback) override {
    const char* type =
        kind == Patch::kMerge ? "application/merge-patch+json" : "application/json-patch+json";
    SendBody(http::methods::PATCH, path, type, patch, std::move(callback));
  }
  void Delete(const std::string& path, const Json& options, Callback callback) override {
    SendBody(http::methods::DEL, path, "application/json", options, std::move(callback));
  }

  std::unique_ptr<Watch> StartWatch(const std::string& path,
                                    std::function<void(const std::string&)> on_line,
                                    std::function<void(absl::Status)> on_end) override {
    auto state = std::make_shared<WatchState>();
    state->on_line = std::move(on_line);
    state->on_end = std::move(on_end);
    auto sink = std::make_shared<PushSink>(
        [post = post_, state](std::string data, pplx::task_completion_event<std::size_t> consumed) {
          post([state, data = std::move(data), consumed] {
            TakeLines(state.get(), data);
            consumed.set(data.size());
          });
        });
    http::http_request request = Request(http::methods::GET, path);
    request.set_response_stream(
        concurrency::streams::ostream(concurrency::streams::streambuf<Byte>(sink)));
    pplx::cancellation_token_source cancel;
    watches_.request(request, cancel.get_token())
        .then([](http::http_response response) {
          return response.content_ready();  // completes with the stream
        })
        .then([post = post_, state](pplx::task<http::http_response> task) {
          const absl::Status status = EndOfWatch(task);
          post([state, status] {
            if (!state->stopped) state->on_end(status);
          });
        });
    return std::make_unique<RestWatch>(state, cancel);
  }

 private:
  static absl::Status EndOfWatch(const pplx::task<http::http_response>& task) {
    try {
      const int code = task.get().status_code();
      if (code != 200) return absl::FailedPreconditionError(absl::StrCat("HTTP ", code));
      return absl::OkStatus();
    } catch (const std::exception& error) {
      return absl::UnavailableError(error.what());
    }
  }

  // In seconds; a date is not sent by API servers and counts as nothing.
  static std::chrono::seconds RetryAfter(const http::http_response& response) {
    int seconds = 0;
    const auto found = response.headers().find("Retry-After");
    if (found == response.headers().end() || !absl::SimpleAtoi(found->second, &seconds)) return {};
    return std::chrono::seconds(std::max(0, seconds));
  }

  // A file is read each time: the kubelet rotates it.
  std::string Token() const {
    if (access_.token_file.empty()) return access_.token;
    std::ifstream file(access_.token_file);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  http::http_request Request(const http::method& method, const std::string& path) const {
    http::http_request request(method);
    request.set_request_uri(path);
    request.headers().add("Accept", "application/json");
    const std::string token = Token();
    if (!token.empty()) request.headers().add("Authorization", "Bearer " + token);
    return request;
  }

  void SendBody(const http::method& method, const std::string& path, const char* content_type,
                const Json& body, Callback callback) {
    http::http_request request = Request(method, path);
    request.set_body(body.dump(), content_type);
    Send(request, std::move(callback));
  }

  void Send(const http::http_request& request, Callback callback) {
    calls_.request(request)
        .then([](http::http_response response) {
          return response.extract_vector().then([response](std::vector<unsigned char> body) {
            Response result;
            result.status = response.status_code();
            result.retry_after = RetryAfter(response);
            result.text.assign(body.begin(), body.end());
            result.body = Json::parse(result.text, nullptr, false);
            return result;
          });
        })
        .then([post = post_, callback = std::move(callback)](pplx::task<Response> task) {
          Response result;
          try {
            result = task.get();
          } catch (const std::exception& error) {
            result.error = error.what();
          }
          post([callback, result = std::move(result)] { callback(result); });
        });
  }

  const Access access_;
  const Post post_;
  http::client::http_client calls_;
  http::client::http_client watches_;
};

}  // namespace

std::unique_ptr<Client> MakeRestClient(const Access& access, Post post,
                                       std::chrono::seconds call_time) {
  static const bool initialized = [] {
    crossplat::threadpool::initialize_with_threads(kThreads);
    return true;
  }();
  static_cast<void>(initialized);
  return std::make_unique<RestClient>(access, std::move(post), call_time);
}

}  // namespace wsf::kube
