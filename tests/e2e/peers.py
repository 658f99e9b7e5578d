# SPDX-License-Identifier: Apache-2.0
"""Both ends of a WebSocket connection as the test's own raw sockets."""
import base64
import hashlib
import os
import socket
import struct
from dataclasses import dataclass

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
DEADLINE = 20.0  # a generous bound on every read: a hang fails instead of blocking the run


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def code(self) -> int:
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()


def close_body(code: int | None, reason: str = "") -> bytes:
    return b"" if code is None else struct.pack("!H", code) + reason.encode()


def encode(frame: Frame, masked: bool, key: bytes = b"\x11\x22\x33\x44") -> bytes:
    first = (0x80 if frame.fin else 0) | frame.rsv << 4 | frame.opcode
    size = len(frame.payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return head + frame.payload
    body = bytes(b ^ key[i % 4] for i, b in enumerate(frame.payload))
    return head + key + body


class Peer:
    """One end. `masks` says which side it plays: a client masks, a server does not."""

    def __init__(self, sock: socket.socket, masks: bool):
        self.sock = sock
        self.masks = masks
        self.buffer = b""
        sock.settimeout(DEADLINE)

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> None:
        self.send_raw(encode(Frame(opcode, payload, fin, rsv), self.masks))

    def send_close(self, code: int | None, reason: str = "") -> None:
        self.send(CLOSE, close_body(code, reason))

    def _fill(self, size: int) -> bool:
        while len(self.buffer) < size:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return False
            self.buffer += data
        return True

    def _take(self, size: int) -> bytes:
        assert self._fill(size), f"the connection ended with {self.buffer!r} instead of {size} bytes"
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def receive(self) -> Frame:
        first, second = self._take(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        masked = bool(second & 0x80)
        key = self._take(4) if masked else b""
        payload = self._take(size)
        if masked:
            payload = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
        return Frame(first & 15, payload, bool(first & 0x80), first >> 4 & 7, masked)

    def expect(self, opcode: int, payload: bytes) -> None:
        frame = self.receive()
        assert (frame.opcode, frame.payload) == (opcode, payload)

    def expect_close(self, code: int | None, reason: str = "") -> None:
        self.expect(CLOSE, close_body(code, reason))

    def expect_end(self) -> None:
        """The TCP connection ends and nothing comes before that."""
        assert not self._fill(1), f"{self.buffer!r} instead of the end"

    def receive_head(self) -> str:
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill(len(self.buffer) + 1):
                raise AssertionError(f"the connection ended within the head: {self.buffer!r}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode("latin-1")

    def receive_all(self) -> bytes:
        while self._fill(len(self.buffer) + 1):
            pass
        return self.buffer

    def end(self) -> None:
        """FIN without a Close frame."""
        self.sock.close()

    def reset(self) -> None:
        """RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def field(head: str, name: str) -> str | None:
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def accept_for(key: str) -> str:
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def upgrade_request(path: str = "/", host: str = "localhost", extra: str = "") -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n"
    ).encode()


def switching_protocols(request_head: str, extra: str = "") -> bytes:
    accept = accept_for(field(request_head, "Sec-WebSocket-Key") or "")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
    ).encode()
