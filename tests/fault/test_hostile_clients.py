# SPDX-License-Identifier: Apache-2.0
"""Clients that want to hurt: slow heads, more connections than descriptors, readers that do not read
(faults.md 32, 34, 42; goals G14 to G16, at their full numbers)."""
import socket
import threading

import pytest

from hostile import (FLOOD, SHARED, Growth, Starved, all_descriptors, flood, flood_slow_readers, listens,
                     slow_heads, slow_session, until_ended)
from rig import TEXT, FaultRig, Peer, name_of, wait_for

from dev_rig import DevRig

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

SLOW_HEADS = 5000
LIVE = 500
SLOW_READERS = 1000
MOST_KIB = 256  # a session and process


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    yield rig
    rig.close()


@pytest.fixture
def shared(tmp_path, programs):
    with all_descriptors():
        rig = DevRig(tmp_path, programs, SHARED)
        yield rig
        rig.close()


def echoes(client: Peer, payload: bytes = b"still here") -> bool:
    client.send(TEXT, payload)
    return client.receive().payload == payload


def check_carries(client: Peer, server: Peer, payload: bytes = b"still here") -> None:
    client.send(TEXT, payload)
    server.expect(TEXT, payload)
    server.send(TEXT, payload)
    client.expect(TEXT, payload)


def test_fault_34_G14_slow_heads_lose_no_live_session(shared):
    live = [shared.connect() for _ in range(LIVE)]

    def check_live() -> None:
        for session in live:
            check_carries(session.client, session.server)
    slow = []
    try:
        slow = slow_heads(("127.0.0.1", shared.dev.port), SLOW_HEADS, check_live)
        until_ended(slow, check_live)
    finally:
        for sock in slow:
            sock.close()
    session = shared.connect()
    check_carries(session.client, session.server)


def test_fault_32_G15_readers_that_do_not_read_cost_a_bounded_amount(shared):
    """Their servers send until every buffer on the way is full, and whenever there is room again."""
    sessions = [slow_session(shared) for _ in range(SLOW_READERS)]
    gateway = shared.dev.ready["gatewayPid"]
    sidecars = [pid for pid in shared.dev.processes() if name_of(pid) == "wsf-sidecar"]
    assert len(sidecars) == SLOW_READERS // 100
    growths = [Growth.since_now(gateway, SLOW_READERS)]
    growths += [Growth.since_now(pid, 100) for pid in sidecars]
    taken = flood_slow_readers(*map(list, zip(*sessions)))
    assert taken > SLOW_READERS * 65536, "the flood never reached a full buffer"
    for growth in growths:
        grown = growth.kib_a_session()
        assert grown < MOST_KIB, f"{name_of(growth.pid)}: {grown:.0f} KiB a session"
    other = shared.connect()
    check_carries(other.client, other.server)


def read_exactly(sock: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(sock.recv(min(size, 1 << 20)))


def test_D28_I8_fault_44_a_reader_that_stalls_leaves_a_bounded_amount_on_the_way(shared):
    """While it is fast the kernel would let every buffer grow, to 6 MiB and 4 MiB a hop."""
    client, server = slow_session(shared, buffer=256 * 1024)
    server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    frames = 4000  # 250 MiB
    reader = threading.Thread(target=read_exactly, args=(client.sock, frames * len(FLOOD)))
    reader.start()
    for _ in range(frames):
        server.send_raw(FLOOD)
    reader.join()
    taken = flood([server], {})
    assert taken < 4 << 20, f"{taken >> 10} KiB"
    client.end()


def press_long(starved: Starved) -> None:
    wait_for(lambda: starved.press(0.1) is not None and starved.is_full(), "it is out of descriptors")
    share = starved.press(2)
    assert starved.is_full()
    assert share < 0.05, f"{name_of(starved.pid)} spins: {share:.0%} of a core"


def check_starved(rig: FaultRig, live: Peer, pid: int, address: tuple) -> None:
    starved = Starved(pid, address)
    try:
        press_long(starved)
        assert starved.hung_up, "who finds no descriptor is left waiting"
        assert echoes(live)
    finally:
        starved.release()
    client, request_id = rig.open()
    assert echoes(client)
    assert echoes(live)
    for each in (client, live):
        each.end()
    assert rig.dev.record(request_id)["statusCode"] == 456
    rig.rest(2)


def test_fault_42_G16_a_gateway_out_of_descriptors_spins_not_and_recovers(rig):
    live = rig.open()[0]
    check_starved(rig, live, rig.pids("wsf-gateway")[0], ("127.0.0.1", rig.dev.port))


def test_fault_18_G16_an_operator_out_of_descriptors_spins_not_and_recovers(rig):
    """On the port of the sidecars: the record of the session is the proof that it serves again."""
    live = rig.open()[0]
    pid = rig.pids("wsf-operator")[0]
    check_starved(rig, live, pid, next(a for a in listens(pid) if a[1] == 9443))


def test_fault_42_G16_a_sidecar_out_of_descriptors_spins_not_and_recovers(tmp_path, programs):
    """Of an instance that serves several sessions: after the release it takes the next."""
    rig = DevRig(tmp_path, programs, SHARED)
    try:
        live = rig.connect()
        pid = next(pid for pid in rig.dev.processes() if name_of(pid) == "wsf-sidecar")
        starved = Starved(pid, listens(pid)[0], room=4)  # of the 8 that it reads heads of
        try:
            press_long(starved)
            check_carries(live.client, live.server)
        finally:
            starved.release()
        other = rig.connect()
        check_carries(other.client, other.server)
        check_carries(live.client, live.server)
    finally:
        rig.close()
