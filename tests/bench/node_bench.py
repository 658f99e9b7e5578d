#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""node_bench: how long a connection waits on a real node (kubelet, containerd, kube-proxy), from
connect() to its 101, with a static server whose image is there: cold, with a free instance, and many
at once on as many free instances."""
import argparse
import pathlib
import selectors
import socket
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "cluster")]

import images  # noqa: E402
from cluster import Cluster  # noqa: E402
from kubectl import wait_for  # noqa: E402
from peers import CLOSE, TEXT, Peer, close_body, upgrade_request  # noqa: E402

SERVER = "localhost/test/static-server:1"
SPACE = "bench"
GATES = {"cold": 900, "free": 15, "at once": 2000}  # ms
SMALL = {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}}


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def session(cluster: Cluster) -> float:
    """Milliseconds to the 101 of a session that then says one word."""
    def timed() -> tuple[socket.socket, float, str]:
        start = time.perf_counter()
        sock = socket.create_connection((cluster.gateway, 80), timeout=110)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(sock, masks=True)
        peer.send_raw(upgrade_request(f"/{SPACE}/f", cluster.gateway))
        head = peer.receive_head()
        return peer, (time.perf_counter() - start) * 1000, head
    peer, took, head = cluster.machine.inside(timed)
    assert head.startswith("HTTP/1.1 101 "), head
    peer.send(TEXT, b"x")
    peer.expect(TEXT, b"x")
    peer.send(CLOSE, close_body(1000))
    peer.expect_close(1000)
    peer.end()
    return took


def at_once(cluster: Cluster, count: int) -> list[float]:
    """Milliseconds from the first connect() to each 101; the sessions end with the sockets."""
    def timed() -> list[float]:
        request = upgrade_request(f"/{SPACE}/f", cluster.gateway)
        selector, times, kept = selectors.DefaultSelector(), [], []
        start = time.perf_counter()
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((cluster.gateway, 80))
            selector.register(sock, selectors.EVENT_WRITE, bytearray())
            kept.append(sock)
        while len(times) < count:
            ready = selector.select(110)
            assert ready, f"{len(times)} of {count} answered"
            for key, events in ready:
                if events & selectors.EVENT_WRITE:
                    key.fileobj.send(request)
                    selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                    continue
                key.data.extend(key.fileobj.recv(65536))
                if b"\r\n\r\n" not in key.data:
                    continue
                assert key.data.startswith(b"HTTP/1.1 101 "), bytes(key.data)
                times.append((time.perf_counter() - start) * 1000)
                selector.unregister(key.fileobj)
        for sock in kept:
            sock.close()
        return times
    return cluster.machine.inside(timed)


def set_warm(cluster: Cluster, count: int) -> None:
    cluster.kubectl("patch", "wsf", "f", "-n", SPACE, "--type=merge", "-p",
                    f'{{"spec": {{"warmInstances": {count}}}}}')

    def is_idle() -> bool:
        """What the status says may be a second old: the pods are asked too."""
        pods = cluster.pods(SPACE)
        return (len(pods) == count and cluster.status(SPACE).get("free") == count
                and all(each["status"]["phase"] == "Running" for each in pods)
                and not any("deletionTimestamp" in each["metadata"] for each in pods))
    wait_for(is_idle, f"{count} are free and nothing else is", 600)


def await_rest(cluster: Cluster) -> None:
    """The kubelet has told all that it had to tell: the pods' versions stand still."""
    seen = None

    def is_at_rest() -> bool:
        nonlocal seen
        before, seen = seen, [each["metadata"]["resourceVersion"] for each in cluster.pods(SPACE)]
        time.sleep(3)  # what "still" means
        return before == seen
    wait_for(is_at_rest, "the node is at rest", 300)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--at-once", type=int, default=200)
    arguments = parser.parse_args()
    found: dict[str, float] = {}

    def tell(name: str, times: list[float], figure: float) -> None:
        found[name] = figure
        print(f"connect to 101, {name:<8}: p50 {statistics.median(times):.1f} ms,"
              f" p90 {percentile(times, 0.9):.1f} ms, all {max(times):.1f} ms"
              f" (gate {GATES[name]} ms)", flush=True)
    with tempfile.TemporaryDirectory() as name:
        cluster = Cluster(pathlib.Path(name) / "machine")
        try:
            archive = pathlib.Path(name) / "server.tar"
            images.write_image(archive, SERVER, arguments.bin / "wsf-test-server")
            cluster.machine.load(archive)
            cluster.install()
            # Two hundred at once wait for each other on a small machine.
            cluster.make(SPACE, image=SERVER, resources=SMALL, initTimeoutSeconds=300)
            session(cluster)  # both images are unpacked once
            times = []
            for _ in range(arguments.rounds):
                cluster.await_gone(SPACE)
                times.append(session(cluster))
            tell("cold", times, statistics.median(times))
            times = []
            for _ in range(arguments.rounds):
                set_warm(cluster, 4)
                times.append(session(cluster))
            tell("free", times, statistics.median(times))
            set_warm(cluster, arguments.at_once)
            await_rest(cluster)
            times = at_once(cluster, arguments.at_once)
            tell("at once", times, max(times))
        finally:
            cluster.close()
    missed = [name for name, figure in found.items() if figure > GATES[name]]
    for name in missed:
        print(f"GATE MISSED: connect to 101, {name}")
    return 1 if missed else 0


sys.exit(main())
