// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/kube/client.h"
#include "common/kube/kubeconfig.h"

namespace wsf::kube {

/// The Client over cpprestsdk. `post` runs a function on the operator's thread; it may be called
/// from any thread, and nothing runs that it got once the client has gone. A call that takes longer
/// than `call_time` counts as unanswered.
std::unique_ptr<Client> MakeRestClient(const Access& access,
                                       std::function<void(std::function<void()>)> post,
                                       std::chrono::seconds call_time = std::chrono::seconds(30));

}  // namespace wsf::kube
