// SPDX-License-Identifier: Apache-2.0
// A client with reconnecting-websocket and its defaults that is cut off three times (433) and
// connected again each time without a word of its user. Prints each open and close.
'use strict';

const ReconnectingWebSocket = require('reconnecting-websocket');
const WebSocket = require('ws');

class Calm extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on('error', () => {});
  }
}

let opened = 0;
const socket = new ReconnectingWebSocket(process.argv[2], [], { WebSocket: Calm });
socket.addEventListener('open', () => {
  console.log(`open ${++opened}`);
  if (opened === 4) process.exit(0);
});
socket.addEventListener('close', (event) => console.log(`close ${event.code}`));
