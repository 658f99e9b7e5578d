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
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/kube/credentials.h"

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

http::client::http_client_config Configured(const Access& access, const Credentials& own,
                                            std::chrono::seconds silence) {
  http::client::http_client_config config;
  config.set_timeout(silence);
  config.set_validate_certificates(!access.insecure);
  config.set_ssl_context_callback([own](boost::asio::ssl::context& context) {
    context.set_options(boost::asio::ssl::context::no_tlsv1 |
                        boost::asio::ssl::context::no_tlsv1_1);
    boost::system::error_code ignored;
    if (!own.authority.empty()) {
      context.add_certificate_authority(boost::asio::buffer(own.authority), ignored);
    }
    if (!own.client_certificate.empty()) {
      context.use_certificate_chain(boost::asio::buffer(own.client_certificate), ignored);
      context.use_private_key(boost::asio::buffer(own.client_key), boost::asio::ssl::context::pem,
                              ignored);
    }
  });
  return config;
}

class RestClient : public Client {
 public:
  RestClient(const Access& access, Post post, std::chrono::seconds call_time)
      : access_(access), post_(std::move(post)), call_time_(call_time), reader_(access) {}

  void Get(const std::string& path, Callback callback) override {
    Send(http::http_request(http::methods::GET), path, std::move(callback));
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
    http::http_request request(http::methods::GET);
    if (const absl::Status status = Prepare(path, &request); !status.ok()) {
      post_([state, status] {
        if (!state->stopped) state->on_end(status);
      });
      return std::make_unique<RestWatch>(state, pplx::cancellation_token_source());
    }
    request.set_response_stream(
        concurrency::streams::ostream(concurrency::streams::streambuf<Byte>(sink)));
    pplx::cancellation_token_source cancel;
    watches_->request(request, cancel.get_token())
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

  // With the credentials as they are now: others replace files, and tokens expire.
  absl::Status Prepare(const std::string& path, http::http_request* request) {
    const absl::StatusOr<Credentials> own = reader_.Read();
    if (!own.ok()) return own.status();
    if (watches_ == nullptr || !IsSameTls(*own, tls_)) {
      tls_ = *own;
      const auto client = [&](std::chrono::seconds silence) {
        return std::make_unique<http::client::http_client>(access_.server,
                                                           Configured(access_, *own, silence));
      };
      try {
        calls_ = client(call_time_);
        watches_ = client(kWatchSilence);
      } catch (const std::exception& error) {
        return absl::InvalidArgumentError(absl::StrCat(access_.server, ": ", error.what()));
      }
    }
    request->set_request_uri(path);
    request->headers().add("Accept", "application/json");
    // By this name cpprestsdk checks the certificate.
    if (!access_.server_name.empty()) request->headers().add("Host", access_.server_name);
    if (!own->token.empty()) request->headers().add("Authorization", "Bearer " + own->token);
    for (const auto& [name, value] : access_.headers) request->headers().add(name, value);
    return absl::OkStatus();
  }

  // What cpprestsdk says does not say what to do.
  static std::string Explained(std::string error) {
    if (absl::StrContains(error, "SSL handshake")) {
      error += "; does the server's certificate fit certificate-authority, and the server's name?";
    }
    return error;
  }

  static bool IsSameTls(const Credentials& a, const Credentials& b) {
    return a.authority == b.authority && a.client_certificate == b.client_certificate &&
           a.client_key == b.client_key;
  }

  void SendBody(const http::method& method, const std::string& path, const char* content_type,
                const Json& body, Callback callback) {
    http::http_request request(method);
    request.set_body(body.dump(), content_type);
    Send(std::move(request), path, std::move(callback));
  }

  void Send(http::http_request request, const std::string& path, Callback callback) {
    if (const absl::Status status = Prepare(path, &request); !status.ok()) {
      Response unsent;
      unsent.error = std::string(status.message());
      return post_([callback = std::move(callback), unsent] { callback(unsent); });
    }
    const std::string token = reader_.token();
    calls_->request(request)
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
        .then(
            [this, token, post = post_, callback = std::move(callback)](pplx::task<Response> task) {
              Response result;
              try {
                result = task.get();
              } catch (const std::exception& error) {
                result.error = Explained(error.what());
              }
              post([this, token, callback, result = std::move(result)] {
                if (result.status == 401) reader_.Refused(token);
                callback(result);
              });
            });
  }

  const Access access_;
  const Post post_;
  const std::chrono::seconds call_time_;
  CredentialReader reader_;
  Credentials tls_;  // that the clients were made with
  std::unique_ptr<http::client::http_client> calls_;
  std::unique_ptr<http::client::http_client> watches_;
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
