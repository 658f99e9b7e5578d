// SPDX-License-Identifier: Apache-2.0
#include "common/tls/mutual_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/tls/session.h"

namespace wsf::tls {
namespace {

// gRPC does not speak with a server that has not chosen it.
int SelectH2(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
             const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kH2[] = "\x02h2";
  unsigned char* out = nullptr;
  if (SSL_select_next_proto(&out, chosen_size, kH2, sizeof kH2 - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

absl::Status Trust(SSL_CTX* context, const std::string& authorities) {
  const Infos all = ReadInfos(authorities);
  int trusted = 0;
  for (int i = 0; all != nullptr && i < sk_X509_INFO_num(all.get()); ++i) {
    X509* const authority = sk_X509_INFO_value(all.get(), i)->x509;
    if (authority == nullptr) continue;
    trusted += X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
  }
  if (trusted == 0) return absl::InvalidArgumentError("the authority holds no PEM certificate");
  return absl::OkStatus();
}

std::string CommonName(X509* certificate) {
  char text[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

}  // namespace

struct MutualServer::Inside {
  static int CheckClient(int chain_is_good, X509_STORE_CTX* store) {
    if (chain_is_good != 1) return 0;
    if (X509_STORE_CTX_get_error_depth(store) > 0) return 1;
    SSL* const session =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const auto* const self = static_cast<Inside*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
    if (CommonName(X509_STORE_CTX_get_current_cert(store)) == self->client_name) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }

  std::string client_name;
  Context context;
};

MutualServer::MutualServer(std::string client_name) : inside_(std::make_unique<Inside>()) {
  inside_->client_name = std::move(client_name);
}

MutualServer::~MutualServer() = default;

absl::Status MutualServer::Use(const std::string& authorities, const KeyPair& own) {
  Context context = NewServerContext();
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_app_data(raw, inside_.get());
  SSL_CTX_set_alpn_select_cb(raw, SelectH2, nullptr);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, Inside::CheckClient);
  // A ticket would let in a client whose certificate has ended since.
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
  absl::Status status = Trust(raw, authorities);
  status.Update(Show(raw, own));
  if (status.ok()) inside_->context = std::move(context);
  return status;
}

net::awaitable<absl::Status> MutualServer::Accept(net::Connection& connection,
                                                  std::chrono::steady_clock::duration time) {
  Session session(SSL_new(inside_->context.get()));
  const std::function<void(SSL*)> look = [](SSL*) {};
  co_return co_await AcceptSession(std::move(session), connection, time, look);
}

}  // namespace wsf::tls
