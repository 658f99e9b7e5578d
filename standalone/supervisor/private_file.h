// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "common/tls/certificate.h"

namespace wsf::supervisor {

/// Writes `path` anew, by a rename: whoever reads it finds the old or the new text. Only the owner
/// may read it, since whoever has the kubeconfig runs commands. False when it cannot be written.
bool WritePrivateFile(const std::string& path, const std::string& text);

/// A kubeconfig for `client`, as text; `authority` is PEM.
std::string Kubeconfig(const std::string& server, const std::string& authority,
                       const tls::KeyPair& client);

}  // namespace wsf::supervisor
