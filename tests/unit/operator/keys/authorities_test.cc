// SPDX-License-Identifier: Apache-2.0
#include "operator/keys/authorities.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "operator/keys/keys.h"

namespace wsf::keys {
namespace {

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kYear = 365 * kDay;
constexpr std::int64_t kStart = 1'800'000'000'000'000;
// The authority lives ten years; a third of it is left then.
constexpr std::int64_t kOld = kStart + 10 * kYear - 10 * kYear / 3 + kDay;

const std::int64_t kOverlap = std::chrono::microseconds(Lives().overlap()).count();

tls::KeyPair Made(const std::string& name, std::int64_t now) {
  return tls::MakeAuthority(name, Lives().authority, now);
}

Keys KeysOf(const Authorities& both, std::int64_t now, const Lives& lives = {}) {
  return MakeKeys(both, both, lives, "secret", now);
}

Authorities Fresh() {
  Authorities authorities;
  authorities.Rotate(kStart);
  return authorities;
}

int CountIn(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(Authorities, K33_the_first_one_is_made_and_signs_at_once) {
  Authorities authorities;
  EXPECT_TRUE(authorities.empty());
  EXPECT_TRUE(authorities.Rotate(kStart));
  EXPECT_EQ(authorities.size(), 1u);
  const Keys keys = KeysOf(authorities, kStart);
  EXPECT_TRUE(tls::IsIssuedBy(keys.relays.serving.certificate, keys.relays.trusted));
  EXPECT_FALSE(authorities.Rotate(kStart + kDay));
}

TEST(Authorities, K33_what_is_written_is_read_again) {
  const Authorities authorities = Fresh();
  const Authorities again = Authorities::Parse(authorities.Pem());
  EXPECT_EQ(again.Pem(), authorities.Pem());
  EXPECT_EQ(CountIn(again.Trusted(), "BEGIN CERTIFICATE"), 1);
  EXPECT_EQ(CountIn(again.Trusted(), "PRIVATE"), 0);
}

TEST(Authorities, K33_what_is_damaged_is_left_out) {
  EXPECT_TRUE(Authorities::Parse("").empty());
  EXPECT_TRUE(Authorities::Parse("-----BEGIN CERTIFICATE-----\nAAAA\n").empty());
  const Authorities authorities = Fresh();
  EXPECT_TRUE(Authorities::Parse(authorities.Trusted()).empty()) << "a certificate without its key";
}

TEST(Authorities, K33_an_old_one_is_followed_by_one_that_is_first_trusted_and_then_signs) {
  Authorities authorities = Fresh();
  const std::string first = authorities.Signing(kStart).certificate;
  ASSERT_TRUE(authorities.Rotate(kOld));
  EXPECT_EQ(authorities.size(), 2u);
  EXPECT_EQ(CountIn(authorities.Trusted(), "BEGIN CERTIFICATE"), 2);
  EXPECT_EQ(authorities.Signing(kOld).certificate, first);
  EXPECT_FALSE(authorities.Rotate(kOld + kDay)) << "one follows, not one a day";

  const std::int64_t turn = kOld + kOverlap;
  EXPECT_NE(authorities.Signing(turn).certificate, first);
  authorities.Rotate(turn);
  EXPECT_EQ(authorities.size(), 2u)
      << "whoever was born with the first alone still trusts it alone";

  EXPECT_TRUE(authorities.Rotate(kOld + 2 * kOverlap));
  EXPECT_EQ(authorities.size(), 1u);
  EXPECT_NE(authorities.Signing(kOld + 2 * kOverlap).certificate, first);
}

TEST(Authorities, K33_one_that_somebody_else_provides_is_taken_once) {
  Authorities authorities = Fresh();
  const tls::KeyPair provided = Made("cert-manager", kStart + kDay);
  authorities.Add(provided);
  authorities.Add(provided);
  EXPECT_EQ(authorities.size(), 2u);
  EXPECT_EQ(authorities.Signing(kStart + kDay + kOverlap).certificate, provided.certificate);
}

TEST(Authorities, house_4_3_S19_one_that_is_no_pair_is_refused) {
  const tls::KeyPair good = Made("cert-manager", kStart);
  const tls::KeyPair other = Made("another", kStart);
  for (const tls::KeyPair& provided :
       {tls::KeyPair{good.certificate, "garbage"}, tls::KeyPair{good.certificate, other.key},
        tls::KeyPair{"garbage", good.key}, tls::KeyPair{good.certificate, ""}}) {
    Authorities authorities = Fresh();
    EXPECT_FALSE(authorities.Add(provided));
    EXPECT_EQ(authorities.size(), 1u);
    KeysOf(authorities, kStart + kOverlap);
  }
}

TEST(Authorities, K33_expired_ones_go) {
  Authorities authorities = Fresh();
  EXPECT_TRUE(authorities.Rotate(kStart + 11 * kYear));
  EXPECT_EQ(authorities.size(), 1u);
  EXPECT_GT(tls::ValidityOf(authorities.Trusted())->not_after, kStart + 11 * kYear);
}

TEST(Keys, K33_a_gateways_certificate_is_replaced_at_half_its_life_and_with_its_authority) {
  const Authorities authorities = Fresh();
  const std::string certificate =
      tls::Issue(authorities.Signing(kStart), {kGatewayName, "", "", std::chrono::hours(90 * 24)},
                 kStart)
          .certificate;
  EXPECT_FALSE(IsStale(certificate, authorities, kStart));
  EXPECT_FALSE(IsStale(certificate, authorities, kStart + 44 * kDay));
  EXPECT_TRUE(IsStale(certificate, authorities, kStart + 46 * kDay));
  EXPECT_TRUE(IsStale(certificate, Fresh(), kStart)) << "of another authority";
  EXPECT_TRUE(IsStale("", authorities, kStart));
}

TEST(Keys, K33_S14_what_opens_one_listener_opens_no_other) {
  const Authorities relays = Fresh();
  const Authorities gateways = Fresh();
  const Keys keys = MakeKeys(relays, gateways, {}, "secret", kStart);
  EXPECT_TRUE(tls::IsIssuedBy(keys.relays.client.certificate, keys.relays.trusted));
  EXPECT_TRUE(tls::IsIssuedBy(keys.gateways.client.certificate, keys.gateways.trusted));
  EXPECT_FALSE(tls::IsIssuedBy(keys.relays.client.certificate, keys.gateways.trusted));
  EXPECT_FALSE(tls::IsIssuedBy(keys.gateways.client.certificate, keys.relays.trusted));
}

TEST(Authorities, K33_short_lives_follow_each_other_as_long_ones_do) {
  const Lives lives = {std::chrono::seconds(60), std::chrono::seconds(60),
                       std::chrono::seconds(420)};
  ASSERT_GE(lives.authority, lives.shortest_authority());
  Authorities authorities(lives);
  std::string trusted_before;
  for (std::int64_t now = kStart; now < kStart + kHour; now += 10'000'000) {
    authorities.Rotate(now);
    ASSERT_LE(authorities.size(), 3u);
    // Who was born a relay's life ago knows who signs now, and is known.
    const std::string signing = authorities.Signing(now).certificate;
    if (!trusted_before.empty()) {
      EXPECT_NE(trusted_before.find(signing), std::string::npos) << now;
    }
    if ((now - kStart) % 60'000'000 == 0) trusted_before = authorities.Trusted();
  }
}

TEST(Keys, D01_what_is_given_out_is_looked_at_often_enough_for_its_life) {
  EXPECT_EQ(Lives().look(), std::chrono::hours(1));
  const Lives shortest = {std::chrono::seconds(60), std::chrono::seconds(600)};
  EXPECT_EQ(shortest.look(), std::chrono::seconds(10));
  const Authorities authorities = Fresh();
  const Keys keys = KeysOf(authorities, kStart, shortest);
  EXPECT_EQ(tls::ValidityOf(keys.relays.client.certificate)->not_after, kStart + 60'000'000);
  EXPECT_FALSE(IsStale(keys.relays.client.certificate, authorities, kStart + 20'000'000));
  EXPECT_TRUE(IsStale(keys.relays.client.certificate, authorities, kStart + 40'000'000));
}

TEST(Keys, K34_the_claim_token_is_the_same_after_a_restart_and_another_for_each_pod) {
  const Keys keys = KeysOf(Fresh(), kStart);
  const Keys again = KeysOf(Fresh(), kStart + kDay);
  EXPECT_EQ(keys.ClaimToken("a"), again.ClaimToken("a"));
  EXPECT_NE(keys.ClaimToken("a"), keys.ClaimToken("b"));
}

// Whether a peer that trusts `authorities` takes `certificate`, as OpenSSL decides in a handshake.
bool IsTaken(const std::string& certificate, const std::string& authorities, std::int64_t now) {
  const auto read = [](BIO* bio) { return PEM_read_bio_X509(bio, nullptr, nullptr, nullptr); };
  X509_STORE* const store = X509_STORE_new();
  BIO* const trusted = BIO_new_mem_buf(authorities.data(), static_cast<int>(authorities.size()));
  while (X509* authority = read(trusted)) {
    X509_STORE_add_cert(store, authority);
    X509_free(authority);
  }
  BIO* const own = BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()));
  X509* const leaf = read(own);
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf, nullptr);
  X509_STORE_CTX_set_time(context, 0, static_cast<time_t>(now / 1'000'000));
  const bool taken = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_free(leaf);
  X509_STORE_free(store);
  BIO_free(trusted);
  BIO_free(own);
  return taken;
}

TEST(Authorities, K33_fault_47_what_either_of_two_has_signed_is_taken) {
  Authorities authorities = Fresh();
  const Keys before = KeysOf(authorities, kOld);
  ASSERT_TRUE(authorities.Rotate(kOld));
  const std::int64_t later = kOld + 10 * kDay;
  const Keys after = KeysOf(authorities, later);
  ASSERT_FALSE(tls::IsIssuedBy(after.relays.serving.certificate, Fresh().Trusted()));
  EXPECT_TRUE(IsTaken(before.relays.serving.certificate, authorities.Trusted(), later));
  EXPECT_TRUE(IsTaken(after.relays.serving.certificate, authorities.Trusted(), later));
  EXPECT_FALSE(IsTaken(after.relays.serving.certificate, Fresh().Trusted(), later));
}

TEST(Authorities, K33_two_of_one_name_are_told_apart) {
  Authorities authorities;
  for (const std::int64_t made : {kStart, kStart + kDay})
    ASSERT_TRUE(authorities.Add(Made("one name", made)));
  const std::int64_t later = kStart + 10 * kDay;
  const Keys keys = KeysOf(authorities, later);
  EXPECT_TRUE(IsTaken(keys.relays.serving.certificate, authorities.Trusted(), later));
}

}  // namespace
}  // namespace wsf::keys
