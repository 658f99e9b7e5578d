#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""session_bench: what a whole session costs, beside a bare relay, nginx and HAProxy in one run.

A session is: connect, handshake, one echo of 16 bytes, close. Each relay stands alone between the
same client and the same kind of server, ours as gateway and sidecar with room for another session;
rounds in random order, CPU from each relay's own clock. Then all of it under TLS, each session with
a full TLS handshake.
"""
import argparse
import contextlib
import os
import pathlib
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "fault")]

from certificates import client_context, make_certificate  # noqa: E402
from dev_rig import Dev, wait_for  # noqa: E402
from hostile import cpu_seconds  # noqa: E402
from peers import CLOSE, TEXT, Peer, close_body, upgrade_request  # noqa: E402
from peers_of_the_field import installed  # noqa: E402
from rig import name_of  # noqa: E402
from ports import free_port  # noqa: E402

GATE = 1.30  # of a hop's CPU to the bare relay's
PAYLOAD = b"x" * 16


class Way:
    """One way from a client to a server: the port to dial, and the relays whose CPU is told."""

    def __init__(self, port: int, pids: dict[str, int], context: ssl.SSLContext | None = None):
        self.port = port
        self.pids = pids
        self.context = context

    def open(self) -> tuple[Peer, float]:
        """A session, and the milliseconds from connect() to its 101."""
        start = time.perf_counter()
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_hostname="localhost")
        client = Peer(sock, masks=True)
        client.send_raw(upgrade_request("/echo"))
        head = client.receive_head()
        took = (time.perf_counter() - start) * 1000
        assert head.startswith("HTTP/1.1 101 "), head
        return client, took

    def session(self) -> float:
        client, took = self.open()
        client.send(TEXT, PAYLOAD)
        client.expect(TEXT, PAYLOAD)
        client.send(CLOSE, close_body(1000))
        client.expect_close(1000)
        client.end()
        return took

    def run(self, count: int) -> tuple[dict[str, float], float]:
        """CPU microseconds a session of each relay, and the median time to the 101."""
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        times = [self.session() for _ in range(count)]
        return ({name: (cpu_seconds(pid) - before[name]) / count * 1e6
                 for name, pid in self.pids.items()}, statistics.median(times))


def opened(way: Way) -> Peer | None:
    try:
        return way.open()[0]
    except (OSError, AssertionError):
        return None


def ours(programs: pathlib.Path, folder: pathlib.Path, flags: list[str],
         context: ssl.SSLContext | None) -> tuple[Way, Dev, Peer]:
    """One instance, kept by a session that lasts: none of the others waits for a start."""
    dev = Dev(folder, programs, [str(programs / "wsf-test-server")],
              ["--set", "instanceConcurrency=100", "--set", "maxInstances=1", *flags])
    way = Way(dev.port, {"gateway": dev.ready["gatewayPid"]}, context)
    keeper = wait_for(lambda: opened(way), "the first session")
    way.pids["sidecar"] = next(p for p in dev.processes() if name_of(p) == "wsf-sidecar")
    return way, dev, keeper


def compare(ways: list[Way], base: str, rounds: int, count: int) -> dict[str, float]:
    """Prints all figures; the ratio of each relay's CPU to that of `base`."""
    names = [name for way in ways for name in way.pids]
    cpu = {name: [] for name in names}
    times = [[] for _ in ways]
    for way in ways:
        way.run(max(5, count // 5))  # warm
    for _ in range(rounds):
        for index in random.sample(range(len(ways)), len(ways)):
            cost, took = ways[index].run(count)
            times[index].append(took)
            for name, value in cost.items():
                cpu[name].append(value)
    ratios = {name: statistics.median(a / b for a, b in zip(cpu[name], cpu[base]))
              for name in names}
    for name in names:
        print(f"  {name:<8} {statistics.median(cpu[name]):>6.0f} µs CPU a session,"
              f" {ratios[name]:>5.2f} of {base}")
    for way, took in zip(ways, times):
        print(f"  connect to 101, {' + '.join(way.pids) or 'no relay':<17}: p50"
              f" {statistics.median(took):.2f} ms")
    return ratios


def measure(programs: pathlib.Path, folder: pathlib.Path, rounds: int, count: int,
            certificate: pathlib.Path | None) -> dict[str, float]:
    folder.mkdir()
    context = client_context(certificate) if certificate else None
    with contextlib.ExitStack() as stack:
        def kept(command, **more) -> int:
            process = command if isinstance(command, subprocess.Popen) else subprocess.Popen(
                command, **more)
            stack.callback(process.kill)
            return process.pid
        server_port = free_port()
        kept([programs / "wsf-test-server"], env=dict(os.environ, PORT=str(server_port)))
        ways = []
        if certificate is None:
            port = free_port()
            bare = kept([programs / "wsf-bare-relay", str(port), str(server_port)])
            ways += [Way(server_port, {}), Way(port, {"bare": bare})]
        for name, start in installed().items():
            port = free_port()
            pid = kept(start(folder / name, port, server_port, certificate))
            ways.append(Way(port, {name: pid}, context))
        for way in ways:
            wait_for(lambda: opened(way), f"{list(way.pids)} serves").end()
        flags = [f"--gateway-flag=--tls-certificate={certificate}"] if certificate else []
        way, dev, keeper = ours(programs, folder / "wsf", flags, context)
        stack.callback(dev.close)
        ways.append(way)
        ratios = compare(ways, "gateway" if certificate else "bare", rounds, count)
        keeper.end()
        return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sessions", type=int, default=50, help="in each round")
    arguments = parser.parse_args()
    programs = arguments.bin.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print("A session (handshake, one echo, close):")
        ratios = measure(programs, folder / "plain", arguments.rounds, arguments.sessions, None)
        certificate = make_certificate(folder / "certificate", "localhost")
        print("The same under TLS, a full TLS handshake each:")
        measure(programs, folder / "tls", arguments.rounds, arguments.sessions, certificate)
    if ratios["gateway"] > GATE:
        print(f"GATE MISSED: gateway, CPU a session: {ratios['gateway']:.2f} > {GATE}")
        return 1
    return 0


sys.exit(main())
