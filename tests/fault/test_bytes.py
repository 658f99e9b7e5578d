# SPDX-License-Identifier: Apache-2.0
"""RST, FIN and cut at every byte of a scripted session, on each side (faults.md 38, 39; G13)."""
import pathlib
import socket
import struct
import sys
import threading
import time

import pytest

from rig import ROOT, wait_for

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from peers import CLOSE, TEXT, Frame, close_body, encode, field, switching_protocols  # noqa: E402
from sidecar_rig import SidecarRig  # noqa: E402

HANG = 5.0  # seconds; a session must be over before
ID = "0000000{:05d}"


def client_script() -> bytes:
    """About 300 bytes of a client behind its 101: messages, a fragmented one, a ping, a Close."""
    frames = [Frame(TEXT, b"a" * 30), Frame(2, b"b" * 60, fin=False), Frame(9, b"ping"),
              Frame(0, b"c" * 60), Frame(TEXT, b""), Frame(TEXT, b"d" * 90),
              Frame(CLOSE, close_body(1000, "bye"))]
    return b"".join(encode(frame, masked=True) for frame in frames)


def server_script() -> bytes:
    frames = [Frame(TEXT, b"a" * 60), Frame(2, b"b" * 80, fin=False), Frame(9, b"ping"),
              Frame(0, b"c" * 100), Frame(TEXT, b"d" * 36), Frame(CLOSE, close_body(1000, "bye"))]
    return b"".join(encode(frame, masked=False) for frame in frames)


def strike(sock: socket.socket, how: str) -> None:
    if how == "RST":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory, programs):
    """A sidecar that takes many sessions at a time and never ends: one lives on throughout."""
    rig = SidecarRig(tmp_path_factory.mktemp("bytes"), programs)
    rig.start_server()
    keeper = rig.connect(settings={"instanceConcurrency": 100}, request_id="keeper")
    yield rig
    keeper.client.end()
    rig.close()


@pytest.mark.parametrize("how", ["RST", "FIN", "half"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_fault_39_38_an_end_at_every_byte(rig, side, how):
    script = client_script() if side == "client" else server_script()
    assert 290 <= len(script) <= 400
    wrong = []
    for cut in range(len(script) + 1):
        session = rig.connect(settings={"instanceConcurrency": 100, "closeTimeoutSeconds": 1},
                              request_id=ID.format(cut))
        mine, other = ((session.client, session.server) if side == "client"
                       else (session.server, session.client))
        mine.send_raw(script[:cut])
        strike(mine.sock, how)
        start = time.monotonic()
        received = other.receive_all()  # returns when the sidecar ends the other side
        other.sock.close()
        mine.sock.close()
        record = rig.record(ID.format(cut))
        took = time.monotonic() - start
        # An RST may overtake what was sent before it; what arrives is never changed.
        assert script.startswith(received) or how != "FIN" or received.startswith(script[:cut])
        complete = cut == len(script) and how != "RST"
        codes = {"client": 456, "server": 439}
        expected = {200} if complete else {codes[side]}
        if cut == len(script) and how == "RST":
            expected = {200, codes[side]}
        if record["statusCode"] not in expected or took > HANG:
            wrong.append((cut, record["statusCode"], record["reason"], round(took, 1)))
    assert not wrong
