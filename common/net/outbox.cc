// SPDX-License-Identifier: Apache-2.0
#include "common/net/outbox.h"

#include <sys/socket.h>

#include <cerrno>

namespace wsf::net {

std::size_t Outbox::SendNow(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n =
        send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      Break();
      break;
    }
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
