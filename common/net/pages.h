// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <map>
#include <string>

#include "common/http/head.h"
#include "common/net/admission.h"
#include "common/net/listener.h"

namespace wsf::net {

/// A plain HTTP port with a few pages for machines: /metrics, or a kubelet's probes. Its
/// connections have places of their own, so that neither those who ask for pages nor whom the
/// program is there for keep the others out (D57).
///
/// Threading: confined to the io_context's thread. Outlives its connections.
class PagePort {
 public:
  struct Page {
    int status = 200;
    std::string text;
  };
  /// By path; a query does not matter.
  using Pages = std::map<std::string, std::function<Page()>>;
  /// Whether this request is answered at all: 403 where it is not.
  using MayAsk = std::function<bool(const http::RequestHead&)>;

  explicit PagePort(Pages pages, MayAsk may_ask = nullptr);

  void Serve(Acceptor acceptor);

 private:
  awaitable<void> Open(asio::ip::tcp::socket client);
  std::string AnswerTo(const http::RequestHead& head) const;

  const Pages pages_;
  const MayAsk may_ask_;
  Admission admission_;
};

/// "ok" or "wait", as a probe understands it.
PagePort::Page Probe(bool is_well);

}  // namespace wsf::net
