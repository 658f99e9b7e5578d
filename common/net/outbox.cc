// SPDX-License-Identifier: Apache-2.0
#include "common/net/outbox.h"

namespace wsf::net {

std::size_t Outbox::SendNow(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = connection_->Write(bytes.substr(sent));
    if (n < 0) Break();
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

bool Outbox::Send(std::string_view bytes) {
  if (broken_) return false;
  if (blocked()) {
    queued_.append(bytes);
    return false;
  }
  const std::size_t sent = SendNow(bytes);
  if (!broken_) queued_.append(bytes.substr(sent));
  return sent > 0;
}

bool Outbox::Flush() {
  const std::size_t sent = SendNow(queued_);
  if (sent > 0) queued_.erase(0, sent);
  if (queued_.empty()) std::string().swap(queued_);  // an idle session keeps no buffer
  return sent > 0;
}

void Outbox::Break() {
  broken_ = true;
  std::string().swap(queued_);
}

}  // namespace wsf::net
