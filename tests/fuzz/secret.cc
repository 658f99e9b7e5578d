// SPDX-License-Identifier: Apache-2.0

#include <boost/asio/io_context.hpp>

#include "operator/keys/key_store.h"
#include "tests/fuzz/fuzz.h"

namespace {

using wsf::kube::Json;

// Both Secrets are what the input says, and each write takes.
class Api final : public wsf::kube::Client {
 public:
  explicit Api(const Json& secret) : secret_(secret) {}
  void Get(const std::string&, Callback callback) override { Answer(secret_, callback); }
  void Update(const std::string&, const Json& object, Callback callback) override {
    Answer(object, callback);
  }
  void Create(const std::string&, const Json&, Callback) override {}
  void Apply(const std::string&, wsf::kube::Patch, const Json&, Callback) override {}
  void Delete(const std::string&, const Json&, Callback) override {}
  std::unique_ptr<Watch> StartWatch(const std::string&, std::function<void(const std::string&)>,
                                    std::function<void(absl::Status)>) override {
    return nullptr;
  }

 private:
  static void Answer(const Json& body, const Callback& callback) {
    wsf::kube::Response response;
    response.status = 200;
    response.body = body;
    callback(response);
  }
  const Json& secret_;
};

}  // namespace

// Whatever stands in the operator's Secrets, cert-manager's included: it gets keys or goes on
// trying.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Json secret = Json::parse(Text(data, size), nullptr, false);
  if (secret.is_discarded()) return 0;
  boost::asio::io_context io;
  Api api(secret);
  wsf::keys::KeyStore store(io, &api, "ns", {}, [](const wsf::keys::Keys& keys) {
    Require(!keys.claim_key.empty() && !keys.relays.trusted.empty() &&
            !keys.gateways.trusted.empty());
  });
  store.Start();
  return 0;
}
