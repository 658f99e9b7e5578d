// SPDX-License-Identifier: Apache-2.0
//
// What certificates say of themselves.

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "common/tls/certificate.h"

namespace wsf::tls {
namespace {

struct Freer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Freer>;
using Certificate = std::unique_ptr<X509, Freer>;
using Key = std::unique_ptr<EVP_PKEY, Freer>;

Bio Open(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate First(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(Open(pem).get(), nullptr, nullptr, nullptr));
}

std::int64_t Micros(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<std::int64_t>(timegm(&parts)) * 1'000'000;
}

}  // namespace

absl::StatusOr<Validity> ValidityOf(const std::string& pem) {
  const Certificate certificate = First(pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("not a PEM certificate");
  return Validity{Micros(X509_get0_notBefore(certificate.get())),
                  Micros(X509_get0_notAfter(certificate.get()))};
}

bool IsIssuedBy(const std::string& pem, const std::string& authority) {
  const Certificate certificate = First(pem);
  const Certificate issuer = First(authority);
  if (certificate == nullptr || issuer == nullptr) return false;
  return X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) == 1;
}

std::vector<KeyPair> SplitPairs(const std::string& pem) {
  std::vector<std::string> certificates;
  std::vector<std::string> keys;
  const std::string kBegin = "-----BEGIN ";
  for (std::size_t at = pem.find(kBegin); at != std::string::npos;) {
    const std::size_t next = pem.find(kBegin, at + 1);
    const std::string block = pem.substr(at, next == std::string::npos ? next : next - at);
    (block.find("PRIVATE KEY-----") == std::string::npos ? certificates : keys).push_back(block);
    at = next;
  }
  std::vector<KeyPair> pairs;
  for (const std::string& certificate : certificates) {
    const Certificate parsed = First(certificate);
    for (const std::string& key : keys) {
      const Key private_key(PEM_read_bio_PrivateKey(Open(key).get(), nullptr, nullptr, nullptr));
      if (parsed == nullptr || private_key == nullptr) continue;
      if (X509_check_private_key(parsed.get(), private_key.get()) != 1) continue;
      pairs.push_back({certificate, key});
      break;
    }
  }
  return pairs;
}

}  // namespace wsf::tls
