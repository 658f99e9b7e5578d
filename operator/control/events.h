// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "common/kube/client.h"
#include "common/spec/function.h"
#include "operator/status/event_book.h"

namespace wsf::control {

/// Writes what status::EventBook says into the functions' namespaces (K08).
///
/// Threading: confined to the operator's thread.
class Events {
 public:
  Events(boost::asio::io_context& io, kube::Client* client);

  /// `kind` as in status::EventBook::Subject.
  void Happened(const spec::Function& function, const std::string& reason, const std::string& kind,
                const std::string& message);
  /// The function is gone.
  void Forget(const std::string& uid) { book_.Forget(uid); }

 private:
  void Write();
  void WriteOne(const status::EventBook::Event& event);

  kube::Client* const client_;
  boost::asio::steady_timer timer_;
  status::EventBook book_;
};

}  // namespace wsf::control
