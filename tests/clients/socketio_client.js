// SPDX-License-Identifier: Apache-2.0
const { io } = require('socket.io-client');
const socket = io(process.argv[2], { transports: ['websocket'], reconnection: false });
socket.on('welcome', (pid) => {
  console.log(`welcome ${pid}`);
  socket.emit('greet', 'world', (answer) => {
    console.log(answer);
    socket.close();
  });
});
socket.on('connect_error', (error) => {
  console.error(error.message);
  process.exit(1);
});
