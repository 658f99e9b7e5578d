// SPDX-License-Identifier: Apache-2.0
// A Socket.IO server as its documentation begins.
const { Server } = require('socket.io');
const io = new Server({ transports: ['websocket'] });
io.on('connection', (socket) => {
  socket.on('greet', (name, answer) => answer(`hello ${name}`));
  socket.emit('welcome', process.pid);
});
io.listen(9000);
