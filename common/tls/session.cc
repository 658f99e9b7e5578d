// SPDX-License-Identifier: Apache-2.0
#include "common/tls/session.h"

#include <openssl/err.h>

#include <utility>

#include "common/net/deadline.h"

namespace wsf::tls {
namespace {

class TlsLayer final : public net::Layer {
 public:
  explicit TlsLayer(Session session) : session_(std::move(session)) {}

  ssize_t Read(char* buffer, std::size_t size) override {
    ERR_clear_error();
    const int n = SSL_read(session_.get(), buffer, static_cast<int>(size));
    drained_ = n <= 0;
    if (n > 0) return n;
    return WouldBlock(n) ? -1 : 0;
  }
  ssize_t Write(std::string_view bytes) override {
    if (bytes.empty()) return 0;
    ERR_clear_error();
    const int n = SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (n > 0) return n;
    return WouldBlock(n) ? 0 : -1;
  }
  // A part of a record may stay behind: that is nothing to be read until more has come.
  bool pending() const override { return !drained_ && SSL_has_pending(session_.get()) == 1; }
  void Finish() override {
    ERR_clear_error();
    SSL_shutdown(session_.get());
  }

 private:
  bool WouldBlock(int result) const {
    const int error = SSL_get_error(session_.get(), result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  Session session_;
  bool drained_ = false;  // the last read found nothing more
};

}  // namespace

std::string LastError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

Infos ReadInfos(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Infos all(PEM_X509_INFO_read_bio(bio, nullptr, nullptr, nullptr),
            [](STACK_OF(X509_INFO) * infos) { sk_X509_INFO_pop_free(infos, X509_INFO_free); });
  BIO_free(bio);
  return all;
}

absl::Status Show(SSL_CTX* context, const KeyPair& own) {
  const Infos all = ReadInfos(own.certificate + own.key);
  for (int i = 0; all != nullptr && i < sk_X509_INFO_num(all.get()); ++i) {
    const X509_INFO* const info = sk_X509_INFO_value(all.get(), i);
    if (info->x509 != nullptr) SSL_CTX_use_certificate(context, info->x509);
    if (info->x_pkey != nullptr) SSL_CTX_use_PrivateKey(context, info->x_pkey->dec_pkey);
  }
  if (SSL_CTX_check_private_key(context) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the serving certificate: ", LastError()));
}

Context NewServerContext() {
  Context context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
  // An idle connection keeps no buffers; a short write is tried again from the outbox.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Head and body of a record by one system call.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets only
  SSL_CTX_set_num_tickets(raw, 1);
  return context;
}

net::awaitable<absl::Status> AcceptSession(Session session, net::Connection& connection,
                                           std::chrono::steady_clock::duration time,
                                           std::function<void(SSL*)> look) {
  using Socket = net::Connection::Socket;
  net::error_code error;
  connection.socket().non_blocking(true, error);
  SSL_set_fd(session.get(), connection.descriptor());
  net::Deadline deadline(connection.socket(), time);
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(session.get());
    if (result == 1) break;
    const int why = SSL_get_error(session.get(), result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      co_return absl::InvalidArgumentError(LastError());
    }
    auto wait = Socket::wait_read;
    if (why == SSL_ERROR_WANT_WRITE) wait = Socket::wait_write;
    co_await connection.socket().async_wait(wait, net::Await(error));
    if (error || deadline.passed()) {
      co_return absl::DeadlineExceededError("the TLS handshake took too long");
    }
  }
  look(session.get());
  connection.Put(std::make_unique<TlsLayer>(std::move(session)));
  co_return absl::OkStatus();
}

}  // namespace wsf::tls
