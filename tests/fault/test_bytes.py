# SPDX-License-Identifier: Apache-2.0
"""RST, FIN and half-close at every byte of a scripted session, on each side (faults.md 38, 39; G13)."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

import pytest

from rig import CLOSE, TEXT, Peer, close_body, upgrade_request, wait_for
from peers import Frame, encode, switching_protocols
from ports import free_port
from sidecar_rig import TOKEN, settings_header

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

MAX_HEADER = 14  # bytes of a frame's header (RFC 6455 5.2)
HANG = 5.0  # seconds; a session must be over before


def script(side: str) -> bytes:
    """About 300 bytes of one side: messages, a fragmented one with a ping inside, a Close."""
    long = 60 if side == "client" else 76
    frames = [Frame(TEXT, b"a" * 50), Frame(2, b"b" * long, fin=False), Frame(9, b"ping"),
              Frame(0, b"c" * long), Frame(TEXT, b""), Frame(TEXT, b"d" * 70),
              Frame(CLOSE, close_body(1000, "bye"))]
    return b"".join(encode(frame, masked=side == "client") for frame in frames)


def strike(sock: socket.socket, how: str) -> None:
    if how == "RST":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()


class Rig:
    """One sidecar after the other, each for one session; the test is the server."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path):
        self.folder, self.programs = folder, programs
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stub = folder / "report"
        # Plays wsf-report. A Listening (its first byte is a line's end) is answered with the claim
        # token (field 1, length 60); an Ended leaves a mark.
        self.stub.write_text("#!/bin/sh\nif [ -z \"$(head -c 1)\" ]; then\n"
                             f"  printf '\\n<{TOKEN}'\nelse\n  : > \"$ENDED\"\nfi\ncat > /dev/null\n")
        self.stub.chmod(0o755)

    def connect(self) -> None:
        port = free_port()
        self.message = self.folder / f"termination-{port}"
        self.ended = self.folder / f"ended-{port}"
        self.sidecar = subprocess.Popen(
            [self.programs / "wsf-sidecar", "--pod-uid=uid", "--operator=127.0.0.1:1",
             f"--listen=127.0.0.1:{port}", f"--port={self.listener.getsockname()[1]}",
             f"--termination-log={self.message}", f"--report-program={self.stub}"],
            env=dict(os.environ, ENDED=str(self.ended)))
        until = time.monotonic() + 20
        while True:
            assert time.monotonic() < until, "the sidecar takes nobody"
            try:
                client = Peer(socket.create_connection(("127.0.0.1", port)), masks=True)
            except ConnectionRefusedError:
                continue
            client.send_raw(upgrade_request("/", extra=f"X-Wsf-Claim: {TOKEN}\r\n"
                                            "X-Wsf-Request-Id: id\r\n" +
                                            settings_header({"closeTimeoutSeconds": 1})))
            if "X-Wsf-Sidecar: taken" in client.receive_head():
                break
        accepted, _ = self.listener.accept()
        self.client, self.server = client, Peer(accepted, masks=False)
        self.server.send_raw(switching_protocols(self.server.receive_head(), ""))
        assert client.receive_head().startswith("HTTP/1.1 101 ")

    def record(self) -> dict:
        """The termination message, which is whole before the end is reported."""
        wait_for(self.ended.exists, "the end is reported")
        return json.loads(self.message.read_text())

    def end(self) -> None:
        self.sidecar.send_signal(signal.SIGTERM)
        assert self.sidecar.wait(20) == 0
        self.message.unlink()
        self.ended.unlink()


@pytest.fixture
def rig(tmp_path, programs):
    rig = Rig(tmp_path, programs)
    yield rig
    rig.listener.close()
    if rig.sidecar.poll() is None:
        rig.sidecar.kill()
        rig.sidecar.wait()


@pytest.mark.long(35)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["RST", "FIN", "half"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_fault_39_38_an_end_at_every_byte(rig, side, how):
    text = script(side)
    assert 290 <= len(text) <= 330
    code = {"client": 456, "server": 439}[side]
    wrong = []
    for cut in range(len(text) + 1):
        rig.connect()
        mine, other = (rig.client, rig.server) if side == "client" else (rig.server, rig.client)
        mine.send_raw(text[:cut])
        strike(mine.sock, how)
        start = time.monotonic()
        received = other.receive_all()  # returns when the sidecar ends the other side
        took = time.monotonic() - start
        other.sock.close()
        mine.sock.close()
        record = rig.record()
        rig.end()
        # What arrives is what was sent, but for a header that never became whole; an RST may
        # overtake what was sent before it.
        whole = how == "RST" or len(received) > cut - MAX_HEADER
        arrived = text[:cut].startswith(received) and whole
        # The last byte completes the Close frame, and that is how it ended.
        expected = {code} if cut < len(text) else {200} if how != "RST" else {200, code}
        if not arrived or record["statusCode"] not in expected or took > HANG:
            wrong.append((cut, arrived, record["statusCode"], record["reason"], round(took, 1)))
    assert not wrong
