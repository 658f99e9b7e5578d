// SPDX-License-Identifier: Apache-2.0
//
// A client with reconnecting-websocket and its defaults: a try is given up after 4 s, the next one
// comes 1 to 5 s later. Prints one line when it is connected and one for the echo, then ends.
'use strict';

const ReconnectingWebSocket = require('reconnecting-websocket');
const WebSocket = require('ws');

const start = Date.now();
let tries = 0;
let echoed = false;

class Counted extends WebSocket {
  constructor(...args) {
    super(...args);
    ++tries;
    this.on('error', () => {}); // without a listener, ws ends the process when a try is given up
  }
}

const socket = new ReconnectingWebSocket(process.argv[2], [], { WebSocket: Counted });
socket.addEventListener('open', () => {
  console.log(`open ${tries} ${Date.now() - start}`);
  socket.send('hello');
});
socket.addEventListener('message', (event) => {
  console.log(`message ${event.data}`);
  echoed = true;
  socket.close(1000);
});
socket.addEventListener('close', (event) => {
  if (echoed) process.exit(event.code === 1000 ? 0 : 1); // a try that is given up is told as 1000 too
});
