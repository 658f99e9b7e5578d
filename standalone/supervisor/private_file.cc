// SPDX-License-Identifier: Apache-2.0
#include "standalone/supervisor/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"

namespace wsf::supervisor {

using Json = nlohmann::json;

bool WritePrivateFile(const std::string& path, const std::string& text) {
  const std::string next = path + ".new";
  const int file = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  return written && rename(next.c_str(), path.c_str()) == 0;
}

std::string Kubeconfig(const std::string& server, const std::string& authority,
                       const tls::KeyPair& client) {
  const Json cluster = {{"server", server},
                        {"certificate-authority-data", absl::Base64Escape(authority)}};
  const Json user = {{"client-certificate-data", absl::Base64Escape(client.certificate)},
                     {"client-key-data", absl::Base64Escape(client.key)}};
  const Json config = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", "wsf"},
      {"clusters", {{{"name", "wsf"}, {"cluster", cluster}}}},
      {"users", {{{"name", "wsf"}, {"user", user}}}},
      {"contexts",
       {{{"name", "wsf"},
         {"context", {{"cluster", "wsf"}, {"user", "wsf"}, {"namespace", "default"}}}}}}};
  return config.dump(2) + "\n";
}

}  // namespace wsf::supervisor
