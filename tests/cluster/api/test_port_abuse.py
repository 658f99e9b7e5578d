# SPDX-License-Identifier: Apache-2.0
"""What a hostile peer does to the operator's ports, with and without the admission certificate:
reports of others go on, and memory stays within its limit (faults.md 19, G17, S8)."""
import contextlib
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

import pytest

import http2
import reports
from http2 import Client, frame
from kubectl import ROOT, function, wait_for
from replica import Replica
from reports import ACKNOWLEDGED, listening, send, token_of

ATTACKER = "127.9.9.9"  # so that it is told from others by address, as pods are
SECONDS = int(os.environ.get("WSF_ABUSE_SECONDS", "2"))  # of each attack; 60 in the nightly
FRAME = 1 << 14  # the largest that a peer must take unasked
HEADERS = 8 << 10  # the largest block that is taken
PORTS = (9443, 9444)


class Scene:
    """An operator with one instance, whose relay is honest, and the certificates that open its
    ports."""

    def __init__(self, api, programs: pathlib.Path, folder: pathlib.Path):
        self.programs, self.folder = programs, folder
        system = api.install("wsf-abused")
        space = api.namespace("abused")
        api.kubectl.apply(function("f", space, image="localhost/none:1", warmInstances=1,
                                   initTimeoutSeconds=300))
        self.replica = Replica(api, programs, folder, system).await_leading()
        self.pod, = wait_for(lambda: api.kubectl.get("pods", "-n", space)["items"], "its pod")
        self.honest = reports.of_pod(self.pod, token_of(api.kubectl, space, self.pod))
        self.certificates = {9443: self._file("relay", self.honest.certificate, self.honest.key)}
        part = [reports.secret(api.kubectl, system, "wsf-gateway-tls", key)
                for key in ("tls.crt", "tls.key")]
        self.certificates[9444] = self._file("gateway", *part)
        self.tls = folder / "tls"
        self.tls.mkdir()
        for key in ("ca.crt", "tls.crt", "tls.key"):
            (self.tls / key).write_text(reports.secret(api.kubectl, system, "wsf-gateway-tls", key))

    def _file(self, name: str, *texts: str) -> pathlib.Path:
        path = self.folder / f"{name}.pem"
        path.write_text("".join(texts))
        return path

    def report(self) -> float:
        """Seconds until an honest relay's report was acknowledged."""
        started = time.monotonic()
        status, said = send(self.programs / "wsf-report", f"{self.replica.ip}:9443", self.honest,
                            listening(self.pod["metadata"]["uid"], "10.1.2.3:17009"), self.folder)
        assert status == ACKNOWLEDGED, said
        return time.monotonic() - started

    def memory(self) -> int:
        """Bytes that the operator holds now."""
        status = pathlib.Path(f"/proc/{self.replica.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def attach(self) -> None:
        """A gateway that comes now is served."""
        log = self.folder / "gateway.log"
        gateway = subprocess.Popen(
            [self.programs / "wsf-gateway", f"--operator={self.replica.ip}:9444",
             f"--operator-tls={self.tls}", *(f"--{name}=127.0.0.1:0" for name in
                                             ("listen", "admin-listen", "probe-listen"))],
            stdout=log.open("wb"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: '"ready"' in log.read_text(), "the gateway is in sync")
        finally:
            gateway.kill()
            gateway.wait()

    def connect(self, port: int, certificate: pathlib.Path | None) -> Client:
        return Client((self.replica.ip, port), ATTACKER, certificate)


@pytest.fixture(scope="module")
def scene(api, programs, tmp_path_factory):
    scene = Scene(api, programs, tmp_path_factory.mktemp("abuse"))
    yield scene
    scene.replica.close()


def limit() -> int:
    """Of the operator's container, as it is delivered."""
    text = (ROOT / "deploy" / "operator" / "deployment.yaml").read_text()
    return int(re.search(r"limits: \{memory: (\d+)Mi\}", text).group(1)) << 20


@contextlib.contextmanager
def attacked(attack, threads: int = 4):
    """`attack` is done over and over meanwhile; a connection that is cut is an attack that failed.
    Yields a function that says how often it was done."""
    stop = threading.Event()
    done = [0] * threads

    def run(index: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                attack()
            done[index] += 1
    workers = [threading.Thread(target=run, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield lambda: sum(done)
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def stands(scene: Scene, attack) -> None:
    """Under this attack an honest report is acknowledged again and again, and memory stays within
    the limit; after it the operator leads as before."""
    scene.report()
    with attacked(attack) as done:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or done() < 4:
            scene.report()
            assert scene.memory() < limit()
    assert scene.replica.process.poll() is None
    assert scene.replica.leads()
    print(f"after {SECONDS} s of {done()} attacks a report takes {scene.report():.2f} s; "
          f"{scene.memory() >> 20} MiB")


def rapid_reset(client: Client) -> None:
    """Streams that are opened and at once reset (CVE-2023-44487)."""
    client.start()
    for first in range(1, 20001, 200):
        client.send(b"".join(
            frame(http2.HEADERS, http2.END_HEADERS, stream, client.call) +
            frame(http2.RST_STREAM, 0, stream, http2.CANCEL.to_bytes(4, "big"))
            for stream in range(first, first + 200, 2)))


def many_streams(client: Client) -> None:
    """As many requests as may be, none of which is ever sent to its end."""
    client.start()
    for stream in range(1, 65, 2):
        client.send(frame(http2.HEADERS, http2.END_HEADERS, stream, client.call))
    client.socket.recv(1)


def header_bomb(client: Client, size: int = FRAME) -> None:
    """One field of 4 KB kept in the table, then named thousands of times in each request."""
    client.start()
    big = http2.literal(b"x", b"a" * 4000, indexed=True)
    for stream in range(1, 2001, 2):
        block = client.call + (big if stream == 1 else b"")
        block += http2.from_table(62) * (size - len(block))
        client.send(frame(http2.HEADERS, http2.END_HEADERS, stream, block))


def small_header_bomb(client: Client) -> None:
    header_bomb(client, HEADERS)


def endless_header(client: Client) -> None:
    """A header block that never ends (CVE-2024-27316)."""
    client.start()
    client.send(frame(http2.HEADERS, 0, 1, client.call))
    more = http2.literal(b"x", b"a" * 1000) * 16
    for _ in range(2000):
        client.send(frame(http2.CONTINUATION, 0, 1, more[:FRAME]))


def settings_flood(client: Client) -> None:
    client.start()
    for _ in range(200):
        client.send(frame(http2.SETTINGS, 0, 0, b"\0\4\0\0\xff\xff") * 500)


def ping_flood(client: Client) -> None:
    client.start()
    for _ in range(200):
        client.send(frame(http2.PING, 0, 0, b"12345678") * 500)


def garbage(client: Client) -> None:
    client.send(os.urandom(1 << 16))


ATTACKS = [rapid_reset, many_streams, header_bomb, small_header_bomb, endless_header, settings_flood,
           ping_flood, garbage]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_fault_19_S8_G17_with_the_certificate(scene, attack, port):
    def once() -> None:
        with contextlib.closing(scene.connect(port, scene.certificates[port])) as client:
            attack(client)
    stands(scene, once)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_fault_19_G17_without_a_certificate_memory_grows_by_less_than_32_MiB(scene, attack, port):
    """TLS 1.3 tells a client that it is refused only when it reads: it may send meanwhile."""
    scene.report()
    before = scene.memory()

    def once() -> None:
        with contextlib.closing(scene.connect(port, None)) as client:
            attack(client)
    stands(scene, once)
    assert scene.memory() - before < 32 << 20


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", http2.PREFACE],
                         ids=["silence", "slow_tls", "http", "plain_http2"])
def test_fault_19_what_is_no_tls(scene, data, port):
    def once() -> None:
        with socket.create_connection((scene.replica.ip, port), 10, (ATTACKER, 0)) as plain:
            plain.sendall(data)
            plain.recv(100)  # until it is cut
    stands(scene, once)


@pytest.mark.parametrize("with_certificate", [True, False], ids=["certificate", "none"])
@pytest.mark.parametrize("port", PORTS)
def test_fault_19_a_thousand_idle_connections(scene, port, with_certificate):
    """Of one address and of many: a relay's is a pod's own, a gateway's may be anywhere."""
    certificate = scene.certificates[port] if with_certificate else None
    held: list[socket.socket | Client] = []
    try:
        for index in range(1000):
            source = ATTACKER if index < 500 else f"127.9.{index % 250}.1"
            with contextlib.suppress(OSError):
                held.append(Client((scene.replica.ip, port), source, certificate))
        assert scene.report() < 10
        assert scene.memory() < limit()
        # Strangers take no place of those who have a certificate.
        if not with_certificate:
            scene.attach()
    finally:
        for each in held:
            each.close()
    assert scene.replica.leads()
