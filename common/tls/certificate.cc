// SPDX-License-Identifier: Apache-2.0
#include "common/tls/certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>

#include "common/base/ids.h"

namespace wsf::tls {
namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;

// OpenSSL fails here only when it is out of memory or of entropy.
template <typename T>
T Must(T result) {
  if (!result) std::abort();
  return result;
}

std::string ReadAll(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Key ParseKey(const std::string& pem) {
  const Bio bio(Must(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))));
  return Key(Must(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)));
}

Certificate ParseCertificate(const std::string& pem) {
  const Bio bio(Must(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))));
  return Certificate(Must(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)));
}

KeyPair ToPem(X509* certificate, EVP_PKEY* key) {
  const Bio certificate_bio(Must(BIO_new(BIO_s_mem())));
  const Bio key_bio(Must(BIO_new(BIO_s_mem())));
  Must(PEM_write_bio_X509(certificate_bio.get(), certificate));
  Must(PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr));
  return {ReadAll(certificate_bio.get()), ReadAll(key_bio.get())};
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = Must(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(const std::string& common_name, EVP_PKEY* key, std::chrono::seconds life,
                           std::int64_t now) {
  Certificate certificate(Must(X509_new()));
  X509_set_version(certificate.get(), 2);
  const std::string serial = RandomBytes(16);
  BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), 16, nullptr);
  BN_clear_bit(number, 127);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  time_t seconds = static_cast<time_t>(now / 1'000'000);
  const auto back = std::min(kClocksDiffer, life / 10);
  X509_time_adj(X509_getm_notBefore(certificate.get()), -back.count(), &seconds);
  X509_time_adj(X509_getm_notAfter(certificate.get()), life.count(), &seconds);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

}  // namespace

KeyPair MakeAuthority(const std::string& common_name, std::chrono::seconds life, std::int64_t now) {
  const Key key(Must(EVP_EC_gen("P-256")));
  const Certificate certificate = NewCertificate(common_name, key.get(), life, now);
  X509* const self = certificate.get();
  X509_set_issuer_name(self, X509_get_subject_name(self));
  AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(self, self, NID_subject_key_identifier, "hash");
  Must(X509_sign(self, key.get(), EVP_sha256()));
  return ToPem(self, key.get());
}

KeyPair Issue(const KeyPair& authority, const Request& request, std::int64_t now) {
  const Key authority_key = ParseKey(authority.key);
  const Certificate issuer = ParseCertificate(authority.certificate);
  const Key key(Must(EVP_EC_gen("P-256")));
  const Certificate certificate = NewCertificate(request.common_name, key.get(), request.life, now);
  X509* const subject = certificate.get();
  X509_set_issuer_name(subject, X509_get_subject_name(issuer.get()));
  AddExtension(subject, issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(subject, issuer.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(subject, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  std::string names;
  if (!request.dns_name.empty()) names = "DNS:" + request.dns_name;
  if (!request.ip.empty()) names += (names.empty() ? "IP:" : ",IP:") + request.ip;
  if (!names.empty()) AddExtension(subject, issuer.get(), NID_subject_alt_name, names);
  // Two authorities follow each other: by its key alone a verifier knows which one signed.
  AddExtension(subject, issuer.get(), NID_authority_key_identifier, "keyid");
  Must(X509_sign(subject, authority_key.get(), EVP_sha256()));
  return ToPem(subject, key.get());
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  unsigned size = sizeof digest;
  Must(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size));
  return Hex({reinterpret_cast<const char*>(digest), size});
}

std::string Sha256(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return Hex({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace wsf::tls
