// SPDX-License-Identifier: Apache-2.0
// An ordinary WebSocket echo server. It knows nothing of wsf.
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ port: 9000 });
server.on("connection", (socket) => {
  socket.on("error", (error) => console.log(error.message));
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.send(`hello from process ${process.pid}`);
});
