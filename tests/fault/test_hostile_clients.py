# SPDX-License-Identifier: Apache-2.0
"""Clients that want to hurt: slow heads, more connections than descriptors, readers that do not read
(faults.md 32, 34, 42; goals G14 to G16). Bounded in count, on loopback alone."""
import os
import pathlib
import resource
import select
import socket
import time

import pytest

from rig import TEXT, FaultRig, Peer, name_of, wait_for

from dev_rig import DevRig
from peers import BINARY

SLOW = 5000
LIVE = 10


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    yield rig
    rig.close()


def echoes(client: Peer, payload: bytes = b"still here") -> bool:
    client.send(TEXT, payload)
    return client.receive().payload == payload


def port_of(rig: FaultRig) -> int:
    return rig.dev.port


def cpu_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def resident_kib(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


def test_fault_34_G14_slow_heads_lose_no_live_session(rig):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    live = [rig.open()[0] for _ in range(LIVE)]
    slow = []
    try:
        for i in range(SLOW):
            sock = socket.create_connection(("127.0.0.1", port_of(rig)))
            sock.send((b"", b"G", b"GET / HTTP/1.1\r\nHost: loc", b"\x16\x03\x01")[i % 4])
            slow.append(sock)
            if i % 250 == 0:
                assert all(echoes(client) for client in live)
        poller = select.poll()
        left = {sock.fileno(): sock for sock in slow}
        for fd in left:
            poller.register(fd, select.POLLIN | select.POLLHUP)
        until = time.monotonic() + 120  # ten times what it takes
        while left:
            assert time.monotonic() < until, f"{len(left)} slow clients are still held"
            for fd, _ in poller.poll(1000):
                try:
                    ended = left[fd].recv(4096) == b""
                except ConnectionResetError:
                    ended = True
                if ended:
                    poller.unregister(fd)
                    left.pop(fd).close()
            assert all(echoes(client) for client in live)
    finally:
        for sock in slow:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert echoes(rig.open()[0])


def test_fault_42_G16_a_gateway_out_of_descriptors_spins_not_and_recovers(rig):
    live = rig.open()[0]
    pid = rig.pids("wsf-gateway")[0]
    was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 10
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, was[1]))
    crowd = [socket.create_connection(("127.0.0.1", port_of(rig))) for _ in range(200)]
    try:
        # Who finds no descriptor is hung up on, not left waiting.
        wait_for(lambda: select.select(crowd, [], [], 0)[0], "the gateway hangs up on some")
        before, start = cpu_seconds(pid), time.monotonic()
        select.select([], [], [], 2)
        share = (cpu_seconds(pid) - before) / (time.monotonic() - start)
        assert share < 0.5, f"it spins: {share:.0%} of a core"  # G16 asks for 5 %, see make bench
        assert echoes(live)
    finally:
        for sock in crowd:
            sock.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, was)
    assert echoes(rig.open()[0])
    assert echoes(live)


def test_fault_32_G15_readers_that_do_not_read_cost_a_bounded_amount(tmp_path, programs):
    """Their servers send until every buffer on the way is full."""
    rig = DevRig(tmp_path, programs)
    try:
        sessions = [rig.connect() for _ in range(LIVE)]
        gateway = rig.dev.ready["gatewayPid"]
        sidecars = [pid for pid in rig.dev.processes() if name_of(pid) == "wsf-sidecar"]
        before = {pid: resident_kib(pid) for pid in [gateway, *sidecars]}
        for session in sessions:
            session.server.sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                while True:
                    session.server.send(BINARY, b"x" * 65536)
        for pid, kib in before.items():
            most = 256 * (LIVE if pid == gateway else 1)
            grown = resident_kib(pid) - kib
            assert grown <= most, f"{grown} KiB"
        other = rig.connect()
        other.client.send(TEXT, b"undisturbed")
        other.server.expect(TEXT, b"undisturbed")
    finally:
        rig.close()
