# SPDX-License-Identifier: Apache-2.0
"""The fault proxy for bytes: between any client and server it delays, throttles, cuts at a byte,
resets, and swallows (half-open: nothing passes and nothing ends)."""
import socket
import struct
import threading
import time


class StreamProxy:
    """Listens on loopback and copies to `target`, an (address, port) or a function that gives it.

    The attributes are the faults and hold for bytes that pass from now on:
    `delay` seconds before each chunk; `rate` bytes a second (0 = no limit); `swallow`;
    `cut_after` so many more bytes to the server, or None; `reset`: a cut is an RST.
    """

    def __init__(self, target):
        self.target = target if callable(target) else lambda: target
        self.delay = 0.0
        self.rate = 0
        self.swallow = False
        self.cut_after = None
        self.reset = False
        self._open = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.address[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target(), timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        pair = (client, server)
        with self._lock:
            self._open.add(pair)
        back = threading.Thread(target=self._copy, args=(server, client, False, pair), daemon=True)
        back.start()
        self._copy(client, server, True, pair)
        back.join()
        with self._lock:
            self._open.discard(pair)
        for each in pair:
            each.close()

    def _copy(self, source, sink, to_server, pair) -> None:
        try:
            while data := source.recv(65536):
                while self.swallow:
                    time.sleep(0.01)
                if self.delay:
                    time.sleep(self.delay)
                if self.rate:
                    time.sleep(len(data) / self.rate)
                if to_server and self.cut_after is not None:
                    if len(data) >= self.cut_after:
                        sink.sendall(data[:self.cut_after])
                        self._cut(pair)
                        return
                    self.cut_after -= len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._cut(pair)

    def _cut(self, pair) -> None:
        for each in pair:
            if self.reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut_all(self) -> None:
        """Ends every connection that is open now."""
        with self._lock:
            pairs = list(self._open)
        for pair in pairs:
            self._cut(pair)

    def close(self) -> None:
        self._listener.close()
        self.cut_all()
