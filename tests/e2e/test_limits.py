# SPDX-License-Identifier: Apache-2.0
"""The clocks and limits of one session, and what both sides are told (table 7.3)."""
import os
import pathlib
import signal
import time

import pytest

from dev_rig import DevRig, wait_for
from peers import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

LIMIT = 262144


def verdict(session) -> tuple:
    record = session.record()
    return record["statusCode"], record["reason"], record["closedBy"], record["closeCode"]


# ---- Clocks ----

def test_P01_S0_19_the_idle_timeout(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 1})
    for peer in (session.client, session.server):
        frame = peer.receive()
        assert (frame.opcode, frame.code, frame.reason) == (CLOSE, 1001, "455 idle timeout")
    record = session.record()
    assert (record["statusCode"], record["reason"], record["closeCode"]) == (
        455, "IdleTimeout", 1001)


def test_P05_P06_S0_20_S3_10_S3_11_S3_12_the_execution_timeout(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 0, "executionTimeoutSeconds": 1})
    frame = session.server.receive()
    assert (frame.code, frame.reason) == (1001, "433 execution timeout")
    session.client.expect_end()
    record = session.record()
    assert (record["statusCode"], record["reason"], record["closeCode"]) == (
        433, "TimeLimitReached", 1006)


def test_P02_pings_are_no_messages_for_the_idle_clock(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 1})
    session.client.send(PING, b"still here")
    session.server.expect(PING, b"still here")
    start = time.monotonic()
    session.client.sock.settimeout(0.1)
    frame = None
    while frame is None:
        session.client.send(PING, b"")
        try:
            frame = session.client.receive()
        except TimeoutError:
            assert time.monotonic() < start + 20, "455 never came"
    assert (frame.code, frame.reason) == (1001, "455 idle timeout")
    assert verdict(session) == (455, "IdleTimeout", "platform", 1001)


def test_P02_pings_are_messages_where_the_function_says_so(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 1, "executionTimeoutSeconds": 3,
                                    "idleCountsControlFrames": 1})
    session.client.sock.settimeout(0.1)
    ended = False
    while not ended:
        session.client.send(PING, b"")
        try:
            ended = not session.client._fill(1)
        except TimeoutError:
            pass
        except OSError:
            ended = True
    assert verdict(session) == (433, "TimeLimitReached", "platform", 1006)


def test_P07_both_clocks_are_due_and_nothing_was_ever_said(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 1, "executionTimeoutSeconds": 1})
    session.client.expect_close(1001, "455 idle timeout")
    session.server.expect_close(1001, "455 idle timeout")
    assert verdict(session) == (455, "IdleTimeout", "platform", 1001)


@pytest.mark.parametrize("clock", ["idle", "execution"])
def test_P08_no_clock_fires_behind_the_first_close(rig, clock):
    settings = {"idleTimeoutSeconds": 1 if clock == "idle" else 0, "executionTimeoutSeconds": 2,
                "closeTimeoutSeconds": 20}
    session = rig.connect(settings=settings)
    session.client.send_close(1000)
    session.server.expect_close(1000)
    time.sleep(2.2)  # the clock that must not fire has run out
    session.server.send(TEXT, b"late but welcome")
    session.server.send_close(1000)
    session.client.expect(TEXT, b"late but welcome")
    session.client.expect_close(1000)
    assert verdict(session) == (200, "Closed", "client", 1000)


def test_A7_the_function_turns_the_platforms_closes_round(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 1, "idleTimeout": 2})
    session.client.expect_end()
    session.server.expect_close(1001, "455 idle timeout")
    assert verdict(session) == (455, "IdleTimeout", "platform", 1006)


def test_A7_P05_an_execution_timeout_may_be_told(rig):
    session = rig.connect(settings={"idleTimeoutSeconds": 0, "executionTimeoutSeconds": 1,
                                    "executionTimeout": 1})
    session.client.expect_close(1001, "433 execution timeout")
    assert verdict(session) == (433, "TimeLimitReached", "platform", 1001)


# ---- Sizes ----

@pytest.mark.parametrize("fragments", [[1001], [500, 501]], ids=["one-frame", "fragments"])
def test_P09_S1_03_a_message_from_the_client_over_the_limit(rig, fragments):
    session = rig.connect(settings={"maxMessageBytes": 1000})
    for i, size in enumerate(fragments):
        session.client.send(BINARY if i == 0 else CONTINUATION, b"x" * size,
                            fin=i == len(fragments) - 1)
    session.client.expect_close(1009, "message exceeds 1000 bytes")
    if len(fragments) > 1:
        assert len(session.server.receive().payload) == 500
    session.server.expect_close(1001, "406 request too large")
    assert session.record()["statusCode"] == 406


def test_P10_P11_S1_04_a_message_from_the_server_over_the_limit(rig):
    session = rig.connect(settings={"maxMessageBytes": 1000})
    session.server.send(BINARY, b"x" * 1000)
    session.client.expect(BINARY, b"x" * 1000)
    session.server.send(BINARY, b"x" * 1001)
    session.client.expect_close(1001, "407 response too large")
    session.server.expect_close(1009, "message exceeds 1000 bytes")
    assert session.record()["statusCode"] == 407


def message(size: int, fragments: int) -> list[tuple[int, bytes, bool]]:
    """(opcode, payload, fin) of its frames, a ping between two fragments."""
    if fragments == 1:
        return [(BINARY, b"x" * size, True)]
    third = size // 3
    parts = [b"x" * third, b"x" * third, b"x" * (size - 2 * third)]
    return [(BINARY, parts[0], False), (PING, b"between", True), (CONTINUATION, parts[1], False),
            (CONTINUATION, parts[2], True)]


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("limit", [LIMIT, 1048576])
def test_P11_S0_23_S1_03_S1_04_S2_02_every_size_up_to_the_limit_passes_both_ways(
        rig, limit, fragments):
    session = rig.connect(settings={"maxMessageBytes": limit, "requestBytesPerSecond": 0,
                                    "requestsPerSecond": 0})
    for size in (0, 1, 125, 126, 65535, 65536, limit - 1, limit):
        for sender, receiver in ((session.client, session.server),
                                 (session.server, session.client)):
            for opcode, payload, fin in message(size, fragments):
                sender.send(opcode, payload, fin)
                frame = receiver.receive()
                assert (frame.opcode, frame.fin, frame.payload) == (opcode, fin, payload)
    for opcode, payload, fin in message(limit + 1, fragments):
        session.client.send(opcode, payload, fin)
    while (frame := session.client.receive()).opcode != CLOSE:
        pass
    assert (frame.code, frame.reason) == (1009, f"message exceeds {limit} bytes")
    assert verdict(session) == (406, "RequestTooLarge", "platform", 1009)


# ---- Rates ----

def test_P12_S1_06_a_hundred_messages_at_once_arrive_ten_a_second(rig):
    session = rig.connect()
    start = time.monotonic()
    for i in range(100):
        session.client.send(TEXT, b"%d" % i)
    for i in range(100):
        session.server.expect(TEXT, b"%d" % i)
    assert time.monotonic() - start >= 9.0
    session.server.send(TEXT, b"all here")
    session.client.expect(TEXT, b"all here")
    session.client.send_close(1000)
    session.server.expect_close(1000)
    session.server.send_close(1000)
    record = session.record()
    assert record["toServer"]["messages"] == 100
    assert 9000 <= record["throttledMs"]


def test_P12_S1_05_one_mebibyte_takes_seven_seconds_behind_the_burst(rig):
    session = rig.connect(settings={"requestsPerSecond": 0})
    start = time.monotonic()
    for _ in range(128):
        session.client.send(BINARY, b"x" * 8192)
    for _ in range(128):
        session.server.expect(BINARY, b"x" * 8192)
    assert time.monotonic() - start >= 7.0


def test_P12_a_throttled_client_that_resets_is_noticed(rig):
    session = rig.connect(settings={"requestsPerSecond": 1, "idleTimeoutSeconds": 0})
    for _ in range(500):
        session.client.send(TEXT, b"flood")
    session.server.expect(TEXT, b"flood")
    session.client.reset()
    assert verdict(session) == (456, "ClientConnectionLost", "client", 1006)


@pytest.mark.parametrize("flood", [{"requestsPerSecond": 1}, {"requestBytesPerSecond": 10}],
                         ids=["messages", "bytes"])
def test_P13_a_client_that_is_too_fast_is_closed_where_the_function_says_so(rig, flood):
    session = rig.connect(settings={**flood, "onRateExceeded": 1})
    for _ in range(3):
        session.client.send(TEXT, b"hello")
    session.client.expect_close(1008, "rate limit")
    while (frame := session.server.receive()).opcode == TEXT:
        pass
    assert (frame.opcode, frame.code, frame.reason) == (CLOSE, 1001, "429 rate limit exceeded")
    assert verdict(session) == (429, "RateLimitExceeded", "platform", 1008)


def test_P14_fifty_pings_a_second_are_no_messages(rig):
    session = rig.connect(settings={"requestsPerSecond": 1})
    for i in range(50):
        session.client.send(PING, b"%d" % i)
        session.server.expect(PING, b"%d" % i)
        session.server.send(PONG, b"%d" % i)
        session.client.expect(PONG, b"%d" % i)
    session.client.send_close(1000)
    session.server.expect_close(1000)
    session.server.send_close(1000)
    assert session.record().get("throttledMs", 0) == 0


def test_S2_02_there_is_no_rate_towards_the_client(rig):
    session = rig.connect(settings={"requestsPerSecond": 1, "requestBytesPerSecond": 10})
    for i in range(100):
        session.server.send(TEXT, b"%d" % i)
    for i in range(100):
        session.client.expect(TEXT, b"%d" % i)
    session.server.send_close(1000)
    session.client.expect_close(1000)
    session.client.send_close(1000)
    assert session.record().get("throttledMs", 0) == 0


@pytest.fixture
def dev_rig(tmp_path, programs):
    rigs = []

    def start(*settings: str) -> DevRig:
        flags = [flag for each in settings for flag in ("--set", each)]
        rigs.append(DevRig(tmp_path / str(len(rigs)), programs, flags))
        return rigs[-1]
    yield start
    for each in rigs:
        each.close()


def close(session) -> dict:
    session.client.send_close(1000)
    while session.server.receive().opcode != CLOSE:
        pass
    session.server.send_close(1000)
    return session.record()


def test_S1_08_each_of_two_connections_has_the_full_rate(dev_rig):
    rig = dev_rig("limits.profile=current")
    first, second = rig.connect(), rig.connect()
    for _ in range(15):
        first.client.send(TEXT, b"many")
    for _ in range(10):
        second.client.send(TEXT, b"few")
    for _ in range(10):
        second.server.expect(TEXT, b"few")
    assert close(first)["throttledMs"] > 0
    assert close(second).get("throttledMs", 0) == 0


def test_S1_07_each_quota_can_be_raised_for_one_function(dev_rig):
    rig = dev_rig("limits.profile=current", "limits.maxMessageBytes=400000",
                  "limits.requestsPerSecond=1000", "limits.requestBytesPerSecond=100000000")
    session = rig.connect()
    for _ in range(20):
        session.client.send(BINARY, b"x" * 400_000)
        session.server.expect(BINARY, b"x" * 400_000)
    assert close(session).get("throttledMs", 0) == 0


def test_A9_what_came_while_everything_stood_still_is_read_before_a_clock_ends_it(
        tmp_path, programs):
    """A paused machine: the clocks went on, and the message is on its way, in the gateway."""
    rig = DevRig(tmp_path, programs, ["--set", "idleTimeoutSeconds=2"])
    try:
        session = rig.connect()
        gateway = rig.dev.pid_of("wsf-gateway")
        sidecar = rig.dev.pid_of("wsf-sidecar")
        for pid in (gateway, sidecar):
            os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        session.client.send(TEXT, b"meanwhile")
        wait_for(lambda: time.monotonic() > start + 4, "the idle timeout is long over")
        os.kill(sidecar, signal.SIGCONT)
        wait_for(lambda: state_of(sidecar) == "S", "it has looked at its clock")
        os.kill(gateway, signal.SIGCONT)
        session.server.expect(TEXT, b"meanwhile")
        session.client.send(TEXT, b"goes on")
        session.server.expect(TEXT, b"goes on")
    finally:
        rig.close()


def state_of(pid: int) -> str:
    """R: it runs; S: it waits for something to happen; T: it was stopped."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
