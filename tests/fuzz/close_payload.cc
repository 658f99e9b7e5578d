// SPDX-License-Identifier: Apache-2.0

#include "common/websocket/close.h"
#include "sidecar/session/verdict.h"
#include "tests/fuzz/fuzz.h"

// A Close that is taken has a code that may be sent, and every one has a verdict.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf;
  const std::string_view body = Text(data, size);
  const auto close = websocket::ParseClose(body);
  if (!close) {
    const std::uint16_t told = websocket::CodeForInvalidClose(body);
    Require(told == 1002 || told == 1007);
    return 0;
  }
  Require(close->code == websocket::kNoCode || websocket::IsValidCloseCode(close->code));
  for (const auto peer : {session::Peer::kClient, session::Peer::kServer}) {
    const auto verdict =
        session::Judge({session::EndKind::kClosed, peer, *close}, session::Settings());
    Require(verdict.status_code == 200 ||
            verdict.status_code == (peer == session::Peer::kClient ? 456 : 439));
  }
  return 0;
}
