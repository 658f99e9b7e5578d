# SPDX-License-Identifier: Apache-2.0
"""What a hostile process of the same machine does to the embedded API of `wsf dev`, and a client of it
that goes wrong: kubectl is answered, sessions go on, and all is as before when it has left (faults.md 42,
G16)."""
import contextlib
import os
import pathlib
import re
import resource
import socket
import ssl
import threading
import time

import pytest

from dev_rig import Dev, wait_for
from hostile import all_descriptors
from kube_access import FUNCTIONS, KubeAccess
from peers import TEXT

SECONDS = int(os.environ.get("WSF_ABUSE_SECONDS", "1"))  # of each attack
IN_TIME = 20  # s until kubectl is answered meanwhile, on a busy machine too
MOST_MIB = 96  # that the program may grow by meanwhile: bodies of 4 MiB by four at a time


class Target:
    def __init__(self, dev: Dev, folder: pathlib.Path):
        self.dev = dev
        self.access = KubeAccess(pathlib.Path(dev.ready["kubeconfig"]), folder)
        self.session = dev.request("/echo")
        assert " 101 " in self.session.receive_head()

    def memory_mib(self) -> int:
        status = pathlib.Path(f"/proc/{self.dev.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) >> 10

    def check_serves(self) -> None:
        start = time.monotonic()
        assert self.access.get(FUNCTIONS)["items"]
        assert time.monotonic() - start < IN_TIME
        self.session.send(TEXT, b"still here")
        self.session.expect(TEXT, b"still here")

    def serves(self) -> bool:
        try:
            self.check_serves()
        except OSError:
            return False
        return True

    def dial(self) -> socket.socket:
        return socket.create_connection((self.access.host, int(self.access.port)), timeout=20)

    def dial_tls(self) -> ssl.SSLSocket:
        return self.access.context.wrap_socket(self.dial(), server_hostname=self.access.host)


@pytest.fixture(scope="module")
def target(tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("attacked")
    dev = Dev(folder, programs, [str(programs / "wsf-test-server")])
    yield Target(dev, folder)
    dev.close()


def half_a_handshake(target: Target) -> None:
    with target.dial() as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")


def no_certificate(target: Target) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(target.dial()) as stranger:
        answer = b""
        with contextlib.suppress(OSError):  # TLS 1.3 tells it when it reads
            stranger.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = stranger.recv(100)
        assert answer == b""


def garbage(target: Target) -> None:
    with target.dial() as plain:
        plain.sendall(os.urandom(1 << 14))


def endless_head(target: Target) -> None:
    with target.dial_tls() as client:
        client.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 100_000)


def body(target: Target, text: bytes) -> bytes:
    """The first line of what a POST of that text is answered."""
    with target.dial_tls() as client:
        client.sendall(b"POST " + FUNCTIONS.encode() + b"?dryRun=All HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                       b"application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        return client.recv(1000).split(b"\r\n")[0]


def deep_body(target: Target) -> None:
    deep = (1 << 21) - 100
    assert b" 400 " in body(target, b'{"spec": ' + b"[" * deep + b"]" * deep + b"}")


def apply(target: Target, text: bytes) -> bytes:
    with target.dial_tls() as client:
        client.sendall(b"PATCH " + FUNCTIONS.encode() + b"/x?fieldManager=m&dryRun=All HTTP/1.1\r\n"
                       b"Host: localhost\r\nContent-Type: application/apply-patch+yaml\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(text) + text)
        return client.recv(1000).split(b"\r\n")[0]


def deep_yaml(target: Target) -> None:
    assert b" 400 " in apply(target, b"spec: " + b"[" * 100_000)


def fields_that_are_no_text(target: Target) -> None:
    assert b" 400 " in apply(target, b'spec: {image: a, "im\xffge": 1}')


def unknown_fields(target: Target) -> None:
    many = b", ".join(b'"x%d": 1' % number for number in range(1000))
    assert b" 201 " in body(target, b'{"metadata": {"generateName": "u-"}, "spec": {"image": "a", ' + many + b"}}")


def copies_of_copies(target: Target) -> None:
    operations = [{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}]
    root, deepest = "/metadata/annotations", ""
    for _ in range(14):  # twice as deep with each
        operations.append({"op": "copy", "from": root, "path": f"{root}{deepest}/a"})
        deepest = f"{deepest}/a{deepest}"
    status, _ = target.access.call("PATCH", FUNCTIONS + "/dev", operations, "application/json-patch+json")
    assert status == 422


def body_that_never_ends(target: Target) -> None:
    with target.dial_tls() as client:
        client.sendall(b"POST " + FUNCTIONS.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Length: 4000000\r\n\r\n" + b" " * 1_000_000)


ATTACKS = [half_a_handshake, no_certificate, garbage, endless_head, deep_body, deep_yaml, fields_that_are_no_text,
           unknown_fields, copies_of_copies, body_that_never_ends]


@contextlib.contextmanager
def attacked(attack, threads: int = 4):
    """`attack` is done over and over; a connection that is cut is an attack that failed."""
    stop, broken, done = threading.Event(), [], []

    def run() -> None:
        while not stop.is_set():
            try:
                with contextlib.suppress(OSError):
                    attack()
                    done.append(True)
            except AssertionError as error:
                broken.append(error)
    workers = [threading.Thread(target=run) for _ in range(threads)]
    for each in workers:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in workers:
            each.join()
    assert not broken, broken[0]
    assert done


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.__name__)
def test_fault_42_G16_S22_the_embedded_api_serves_on_under_attack(target, attack):
    target.check_serves()
    before = target.memory_mib()
    with attacked(lambda: attack(target)):
        until = time.monotonic() + SECONDS
        while True:
            target.check_serves()
            assert target.memory_mib() - before < MOST_MIB
            if time.monotonic() > until:
                break
    target.check_serves()


@pytest.mark.parametrize("greets", [False, True], ids=["silent", "with a certificate"])
def test_fault_42_G16_eleven_hundred_silent_connections_keep_nobody_out(target, greets):
    """More than the program has descriptors for."""
    limit = resource.prlimit(target.dev.process.pid, resource.RLIMIT_NOFILE)
    held = []
    with all_descriptors():
        resource.prlimit(target.dev.process.pid, resource.RLIMIT_NOFILE, (1000, limit[1]))
        try:
            for _ in range(1100):
                with contextlib.suppress(OSError):
                    held.append(target.dial_tls() if greets else target.dial())
            target.session.send(TEXT, b"still here")
            target.session.expect(TEXT, b"still here")
        finally:
            for each in held:
                each.close()
            resource.prlimit(target.dev.process.pid, resource.RLIMIT_NOFILE, limit)
    wait_for(target.serves, "kubectl is answered again")
