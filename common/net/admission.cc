// SPDX-License-Identifier: Apache-2.0
#include "common/net/admission.h"

namespace wsf::net {

std::shared_ptr<void> Admission::Enter() {
  if (in_all_ >= limits_.in_all) return nullptr;
  ++in_all_;
  return {this, [this](void*) { --in_all_; }};
}

std::shared_ptr<void> Admission::EnterFrom(const std::string& ip) {
  const auto found = by_address_.try_emplace(ip, 0).first;
  if (found->second >= limits_.per_address) return nullptr;
  ++found->second;
  return {this, [this, found](void*) {
            if (--found->second == 0) by_address_.erase(found);
          }};
}

}  // namespace wsf::net
