// SPDX-License-Identifier: Apache-2.0
#include "common/tls/server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/net/deadline.h"

namespace wsf::tls {
namespace {

struct ContextFreer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFreer>;

struct SessionFreer {
  void operator()(SSL* session) const { SSL_free(session); }
};
using Session = std::unique_ptr<SSL, SessionFreer>;

std::string LastError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

// "http/1.1" or a fatal alert; a client that says nothing of ALPN is served too.
int SelectProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* out = nullptr;
  if (SSL_select_next_proto(&out, chosen_size, kHttp11, sizeof kHttp11 - 1, offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

absl::StatusOr<Context> MakeContext(const CertificateFiles& files) {
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
  SSL_CTX_set_alpn_select_cb(raw, SelectProtocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, files.chain.c_str()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(files.chain, ": ", LastError()));
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(files.key, ": ", LastError()));
  }
  return context;
}

// When and what: a Secret's files are swapped by a symbolic link.
struct Version {
  dev_t device = 0;
  ino_t inode = 0;
  timespec changed{};
  bool operator==(const Version& other) const {
    return device == other.device && inode == other.inode &&
           std::memcmp(&changed, &other.changed, sizeof changed) == 0;
  }
};

Version VersionOf(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_mtim};
}

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

struct Server::Inside {
  struct Certificate {
    CertificateFiles files;
    Version chain;
    Version key;
    Context context;
  };

  static int ChooseCertificate(SSL* session, int*, void* self) {
    const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    for (const Certificate& each : static_cast<Inside*>(self)->certificates) {
      X509* const leaf = SSL_CTX_get0_certificate(each.context.get());
      if (X509_check_host(leaf, name, 0, 0, nullptr) != 1) continue;
      SSL_set_SSL_CTX(session, each.context.get());
      break;
    }
    return SSL_TLSEXT_ERR_OK;
  }

  std::vector<Certificate> certificates;
};

Server::Server(std::vector<CertificateFiles> files) : inside_(std::make_unique<Inside>()) {
  for (CertificateFiles& each : files)
    inside_->certificates.push_back({std::move(each), {}, {}, {}});
}

Server::~Server() = default;

absl::Status Server::Load() {
  absl::Status status;
  for (Inside::Certificate& each : inside_->certificates) {
    const Version chain = VersionOf(each.files.chain);
    const Version key = VersionOf(each.files.key);
    if (each.context != nullptr && chain == each.chain && key == each.key) continue;
    absl::StatusOr<Context> context = MakeContext(each.files);
    if (!context.ok()) {
      status.Update(context.status());
      continue;
    }
    SSL_CTX_set_tlsext_servername_callback(context->get(), Inside::ChooseCertificate);
    SSL_CTX_set_tlsext_servername_arg(context->get(), inside_.get());
    each.context = *std::move(context);
    each.chain = chain;
    each.key = key;
  }
  return status;
}

net::awaitable<absl::Status> Server::Accept(net::Connection& connection,
                                            std::chrono::steady_clock::duration time,
                                            std::string* server_name) {
  using Socket = net::Connection::Socket;
  Session session(SSL_new(inside_->certificates.front().context.get()));
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
  const char* const name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
  *server_name = name == nullptr ? "" : name;
  connection.Put(std::make_unique<TlsLayer>(std::move(session)));
  co_return absl::OkStatus();
}

}  // namespace wsf::tls
