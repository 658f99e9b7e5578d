// SPDX-License-Identifier: Apache-2.0
// An echo server of the `ws` library that takes whatever the protocol allows.
const { WebSocketServer } = require("ws");
const port = Number(process.env.PORT || 9000);
new WebSocketServer({ port, host: "0.0.0.0", perMessageDeflate: true, maxPayload: 0 })
  .on("connection", (socket) => {
    socket.on("error", () => {}); // a bad client must not end the process
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
