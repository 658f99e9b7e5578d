// SPDX-License-Identifier: Apache-2.0
#include "common/tls/server.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/tls/session.h"

namespace wsf::tls {
namespace {

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
  Context context = NewServerContext();
  SSL_CTX* const raw = context.get();
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

Server::Server(const KeyPair& own) : inside_(std::make_unique<Inside>()) {
  Context context = NewServerContext();
  SSL_CTX_set_alpn_select_cb(context.get(), SelectProtocol, nullptr);
  if (!Show(context.get(), own).ok()) std::abort();
  inside_->certificates.push_back({{}, {}, {}, std::move(context)});
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
  Session session(SSL_new(inside_->certificates.front().context.get()));
  const std::function<void(SSL*)> look = [server_name](SSL* done) {
    const char* const name = SSL_get_servername(done, TLSEXT_NAMETYPE_host_name);
    *server_name = name == nullptr ? "" : name;
  };
  co_return co_await AcceptSession(std::move(session), connection, time, look);
}

}  // namespace wsf::tls
