# SPDX-License-Identifier: Apache-2.0
"""Table 7.2: every end that a peer causes. What the client sees, what the server sees, the record."""
import contextlib
import socket
import struct
import threading
import time

import pytest

from dev_rig import DevRig
from peers import BINARY, CLOSE, CONTINUATION, PING, TEXT, close_body

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

INVALID_CLOSES = [struct.pack("!H", n) for n in
                  (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535)]
INVALID_CLOSES += [b"\x03", close_body(1000) + b"\xc3\x28"]


def why(body: bytes) -> int:
    """What the sender of an invalid Close is told: 1007 for a reason that is not UTF-8."""
    return 1007 if body[:2] == close_body(1000) else 1002


FAILING_CODES = [1001, 1002, 1003, 1007, 1008, 1009, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


def check(session, code, reason, closed_by, close_code):
    record = session.record()
    got = (record["statusCode"], record["reason"], record["closedBy"], record["closeCode"])
    assert got == (code, reason, closed_by, close_code)
    assert record["status"] == ("success" if code == 200 else "failure")
    assert record["httpStatus"] == 101
    return record


def row_of_client_code(code):
    return {1000: "E01", 1010: "E02", 1011: "E03", 1001: "E04"}.get(
        code, "E05" if code < 3000 else "E06")


@pytest.mark.parametrize("code", [pytest.param(c, id=f"{row_of_client_code(c)}-{c}")
                                  for c in [1000, 1010, 1011] + FAILING_CODES])
def test_S0_17_S0_18_client_closes(live, code):
    live.client.send_close(code, "why é")
    live.server.expect_close(code, "why é")
    live.server.send_close(code, "answer")
    live.client.expect_close(code, "answer")
    live.server.end()
    live.client.expect_end()
    ok = code in (1000, 1010)
    record = check(live, 200 if ok else 456, "Closed" if ok else "ClosedByClient", "client", code)
    assert record["closeReason"] == "why é"
    assert record["closeHandshake"] == "complete"


def test_E07_client_closes_without_code(live):
    live.client.send_close(None)
    live.server.expect_close(None)
    live.server.send_close(None)
    live.client.expect_close(None)
    check(live, 456, "ClosedByClient", "client", 1005)


@pytest.mark.parametrize("body", INVALID_CLOSES, ids=[f"E08-{b.hex()}" for b in INVALID_CLOSES])
def test_client_sends_an_invalid_close(live, body):
    code = why(body)
    live.client.send(CLOSE, body)
    live.server.expect_close(code)
    live.server.send_close(code)
    live.client.expect_close(code)
    check(live, 456, "ClientProtocolError", "client", code)


def test_E08_a_server_that_does_not_answer_a_violation(live):
    live.client.send(CLOSE, b"\x03")
    live.server.expect_close(1002)
    live.server.send(TEXT, b"what I had to say")
    live.server.end()
    live.client.expect(TEXT, b"what I had to say")
    live.client.expect_close(1002)
    check(live, 456, "ClientProtocolError", "client", 1002)


def test_E09_client_ends_with_fin(live):
    live.client.end()
    live.server.expect_end()
    check(live, 456, "ClientConnectionLost", "client", 1006)


def test_E09_client_ends_with_rst(live):
    live.client.reset()
    live.server.expect_end()
    check(live, 456, "ClientConnectionLost", "client", 1006)


VIOLATIONS = {
    "rsv1": b"\xc1\x00", "rsv2": b"\xa1\x00", "rsv3": b"\x91\x00",
    "opcode3": b"\x83\x00", "opcode7": b"\x87\x00", "opcodeB": b"\x8b\x00", "opcodeF": b"\x8f\x00",
    "long-ping": b"\x89\x7e\x00\x80", "fragmented-ping": b"\x09\x00",
    "orphan-continuation": b"\x80\x00", "data-inside-message": b"\x01\x00\x81\x00",
    "msb-length": b"\x82\x7f" + b"\x80" + bytes(7), "long-form-16": b"\x82\x7e\x00\x7d",
    "long-form-64": b"\x82\x7f" + (65535).to_bytes(8, "big"),
}


def masked_headers(raw: bytes) -> bytes:
    """The same headers with the mask bit and a key."""
    out, i = b"", 0
    while i < len(raw):
        size = {126: 4, 127: 10}.get(raw[i + 1], 2)
        out += bytes([raw[i], raw[i + 1] | 0x80]) + raw[i + 2:i + size] + bytes(4)
        i += size
    return out


@pytest.mark.parametrize("name", [pytest.param(n, id=f"E10-{n}") for n in [*VIOLATIONS, "unmasked"]])
def test_client_breaks_the_framing(live, name):
    live.client.send_raw(b"\x81\x00" if name == "unmasked" else masked_headers(VIOLATIONS[name]))
    if name == "data-inside-message":
        live.server.expect(TEXT, b"")
    live.server.expect_close(1002)
    live.server.send(TEXT, b"the answer to what came before")
    live.server.send_close(1002)
    live.client.expect(TEXT, b"the answer to what came before")
    live.client.expect_close(1002)
    check(live, 456, "ClientProtocolError", "client", 1002)


def test_E11_bad_utf8_is_the_servers_to_judge(live):
    live.client.send(TEXT, b"\xff\xfe")
    live.server.expect(TEXT, b"\xff\xfe")
    live.server.send_close(1007)
    live.client.expect_close(1007)
    live.client.send_close(1007)
    live.server.expect_close(1007)
    check(live, 439, "ClosedByServer", "server", 1007)


def row_of_server_code(code):
    return {1000: "E12", 1011: "E13", 1010: "E14", 1001: "E15"}.get(code, "E16")


@pytest.mark.parametrize("code", [pytest.param(c, id=f"{row_of_server_code(c)}-{c}")
                                  for c in [1000, 1011, 1010] + FAILING_CODES])
def test_S0_17_S0_18_server_closes(live, code):
    live.server.send_close(code, "r" * 123)
    live.client.expect_close(code, "r" * 123)
    live.client.send_close(code)
    live.server.expect_close(code)
    live.server.end()
    live.client.expect_end()
    ok = code in (1000, 1011)
    check(live, 200 if ok else 439, "Closed" if ok else "ClosedByServer", "server", code)


def test_E17_server_closes_without_code(live):
    live.server.send_close(None)
    live.client.expect_close(None)
    live.client.send_close(None)
    live.server.expect_close(None)
    check(live, 439, "ClosedByServer", "server", 1005)


@pytest.mark.parametrize("body", INVALID_CLOSES, ids=[f"E18-{b.hex()}" for b in INVALID_CLOSES])
def test_server_sends_an_invalid_close(live, body):
    live.server.send(CLOSE, body)
    frame = live.server.receive()
    assert (frame.opcode, frame.code, frame.masked) == (CLOSE, why(body), True)
    live.client.expect_end()
    check(live, 439, "ServerProtocolError", "server", why(body))


@pytest.mark.parametrize("how", ["end", "reset"], ids=["E19-fin", "E19-rst"])
def test_server_hangs_up_and_goes_on_listening(live, how):
    getattr(live.server, how)()
    live.client.expect_end()
    check(live, 439, "ServerConnectionLost", "server", 1006)


@pytest.mark.parametrize("name", [pytest.param(n, id=f"E20-{n}") for n in [*VIOLATIONS, "masked"]])
def test_server_breaks_the_framing(live, name):
    live.server.send_raw(masked_headers(b"\x81\x00") if name == "masked" else VIOLATIONS[name])
    frame = live.server.receive()
    assert (frame.opcode, frame.code) == (CLOSE, 1002)
    if name == "data-inside-message":
        live.client.expect(TEXT, b"")
    live.client.expect_end()
    check(live, 439, "ServerProtocolError", "server", 1002)


@pytest.mark.parametrize("how", ["0", "1", "SIGTERM", "SIGKILL"], ids=lambda how: f"E21-{how}")
def test_server_exits(live, how):
    if how.isdigit():
        live.server.exit(int(how))
    else:
        live.server.kill(15 if how == "SIGTERM" else 9)
    live.client.expect_end()
    check(live, 439, "UserProcessExited", "server", 1006)


def test_E23_server_exits_within_its_close(live):
    live.server.send_close(1000)
    live.client.expect_close(1000)
    live.server.kill()
    live.client.send_close(1000)
    live.client.expect_end()
    check(live, 200, "Closed", "server", 1000)


def test_E24_server_never_answers_a_close(live):
    live.client.send_close(1000)
    live.server.expect_close(1000)
    live.client.expect_end()
    live.server.expect_end()
    assert check(live, 200, "Closed", "client", 1000)["closeHandshake"] == "timeout"


def test_E25_closes_cross_the_clients_first(live):
    live.client.send_close(1000)
    live.server.expect_close(1000)
    live.server.send_close(4000)
    live.client.expect_close(4000)
    check(live, 200, "Closed", "client", 1000)


def test_E26_closes_cross_the_servers_first(live):
    live.server.send_close(4000)
    live.client.expect_close(4000)
    live.client.send_close(1000)
    live.server.expect_close(1000)
    check(live, 439, "ClosedByServer", "server", 4000)


def test_E27_nothing_behind_ones_own_close_is_relayed(live):
    live.client.send_close(1000)
    live.client.send(TEXT, b"too late")
    live.server.expect_close(1000)
    live.server.send_close(1000)
    live.server.expect_end()
    check(live, 200, "Closed", "client", 1000)


def test_E28_data_before_the_answering_close_is_relayed(live):
    live.client.send_close(1000)
    live.server.expect_close(1000)
    live.server.send(BINARY, b"x" * 100_000)
    live.server.send(TEXT, b"last")
    live.server.send_close(1000)
    live.client.expect(BINARY, b"x" * 100_000)
    live.client.expect(TEXT, b"last")
    live.client.expect_close(1000)
    check(live, 200, "Closed", "client", 1000)


def test_E29_all_messages_before_a_close_arrive(live):
    for i in range(100):
        live.server.send(TEXT, b"%d" % i)
    live.server.send_close(1000)
    live.server.end()
    for i in range(100):
        live.client.expect(TEXT, b"%d" % i)
    live.client.expect_close(1000)
    record = check(live, 200, "Closed", "server", 1000)
    assert record["toClient"] == {"messages": 100, "bytes": 190, "controlFrames": 1}


def test_E30_dead_client_and_a_server_that_gives_it_up(live):
    live.server.send(PING, b"there?")
    live.server.send_close(1011, "keepalive ping timeout")
    live.server.expect_end()
    check(live, 200, "Closed", "server", 1011)


def test_I3_S0_09_S2_03_S3_13_frames_pass_as_sent(live):
    """Types, fragments and interleaved control frames, cut at odd places, both directions."""
    for sender, receiver in ((live.client, live.server), (live.server, live.client)):
        sender.send(TEXT, b"one", fin=False)
        sender.send(PING, b"p" * 125)
        sender.send(CONTINUATION, b"", fin=False)
        sender.send(CONTINUATION, b"z" * 70_000)
        sender.send(BINARY, b"")
        frames = [receiver.receive() for _ in range(5)]
        assert [(f.opcode, f.fin, len(f.payload)) for f in frames] == [
            (TEXT, False, 3), (PING, True, 125), (CONTINUATION, False, 0),
            (CONTINUATION, True, 70_000), (BINARY, True, 0)]
        assert all(f.masked == sender.masks for f in frames)
    live.client.send_close(1000)
    live.server.expect_close(1000)
    live.server.send_close(1000)
    record = check(live, 200, "Closed", "client", 1000)
    assert record["toServer"] == {"messages": 2, "bytes": 70_003, "controlFrames": 2}


def test_E08_E10_the_client_of_a_violation_gets_our_code_whatever_its_server_says(live):
    """As an aiohttp server does, which answers any Close with 1000."""
    live.client.send_raw(masked_headers(VIOLATIONS["rsv1"]))
    live.server.expect_close(1002)
    live.server.send(TEXT, b"the answer to what came before")
    live.server.send_close(1000)
    live.client.expect(TEXT, b"the answer to what came before")
    live.client.expect_close(1002)
    check(live, 456, "ClientProtocolError", "client", 1002)


def test_A7_A20_E29_a_slow_client_gets_all_that_was_said_before_the_close(tmp_path, programs):
    """Eight mebibytes and a Close, to one that reads slowly and says something meanwhile. A Close is
    waited for two seconds here, and so long is a linger: they count from the last progress."""
    rig = DevRig(tmp_path, programs, ["--set", "closeTimeoutSeconds=2"])
    try:
        live = rig.connect()
        live.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        message, count = b"x" * 65536, 128

        def say() -> None:
            for _ in range(count):
                live.server.send(BINARY, message)
            live.server.send_close(1000)
            live.server.sock.shutdown(socket.SHUT_WR)

        threading.Thread(target=say, daemon=True).start()
        for i in range(count):
            live.client.expect(BINARY, message)
            if i > count - 20:  # what is buffered on the way when the server closes
                live.client.send(TEXT, b"still here")
                time.sleep(0.5)  # the speed of its line
        live.client.expect_close(1000)
        with contextlib.suppress(OSError):  # its answer may come too late for us
            live.client.send_close(1000)
        record = check(live, 200, "Closed", "server", 1000)
        assert record["toClient"]["messages"] == count
    finally:
        rig.close()


def test_A7_S3_20_a_slow_client_keeps_its_shared_instance(tmp_path, programs):
    """Another session is the last to end, and the slow one has ended before: nothing is cut."""
    rig = DevRig(tmp_path, programs, ["--set", "instanceConcurrency=2", "--set", "maxInstances=1"])
    try:
        slow, other = rig.connect(), rig.connect()
        slow.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        message, count = b"x" * 65536, 64
        sent = threading.Event()

        def say() -> None:
            for _ in range(count):
                slow.server.send(BINARY, message)
            slow.server.end()
            sent.set()

        threading.Thread(target=say, daemon=True).start()
        for i in range(count):
            slow.client.expect(BINARY, message)
            if i == count - 14:
                assert sent.wait(20)
                other.client.send_close(1000)
                other.server.expect_close(1000)
                other.server.send_close(1000)
            if i >= count - 14:
                time.sleep(0.4)  # longer than an instance has that is let go
        slow.client.end()
        assert other.record()["statusCode"] == 200
        assert slow.record()["reason"] == "ServerConnectionLost"
    finally:
        rig.close()
