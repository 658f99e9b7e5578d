# SPDX-License-Identifier: Apache-2.0
"""What hostile clients do and what it costs (goals G14 to G16), for the tests and for make bench.
Bounded in count, on loopback alone."""
import contextlib
import os
import pathlib
import resource
import select
import socket
import time
from dataclasses import dataclass

from rig import Peer, upgrade_request

from dev_rig import DevRig
from peers import BINARY, Frame, encode, switching_protocols

# One instance serves many sessions, whose rate nothing throttles.
SHARED = ["--set", "instanceConcurrency=100", "--set", "limits.profile=open"]
HEADS = (b"", b"G", b"GET / HTTP/1.1\r\nHost: loc", b"\x16\x03\x01")
FLOOD = encode(Frame(BINARY, b"x" * 65536), masked=False)
# A reader that does not read has no use for a large buffer; the kernel's memory is not the measure.
SLOW_BUFFER = 4096


@contextlib.contextmanager
def all_descriptors():
    """As many as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def status_kib(pid: int, name: str) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":"))


# ---- Slow heads (G14) ----


def slow_heads(address: tuple, count: int, meanwhile=lambda: None) -> list[socket.socket]:
    """Connections that never finish the head of a request; `meanwhile` is called 20 times."""
    slow = []
    for i in range(count):
        sock = socket.create_connection(address)
        sock.send(HEADS[i % len(HEADS)])
        slow.append(sock)
        if i % (count // 20) == 0:
            meanwhile()
    return slow


def until_ended(slow: list[socket.socket], meanwhile=lambda: None, deadline: float = 120) -> float:
    """Seconds until the other side has ended each of them."""
    start = time.monotonic()
    poller = select.poll()
    left = {sock.fileno(): sock for sock in slow}
    for fd in left:
        poller.register(fd, select.POLLIN | select.POLLHUP)
    while left:
        assert time.monotonic() < start + deadline, f"{len(left)} slow clients are still held"
        for fd, _ in poller.poll(1000):
            try:
                ended = left[fd].recv(4096) == b""
            except ConnectionResetError:
                ended = True
            if ended:
                poller.unregister(fd)
                left.pop(fd).close()
        meanwhile()
    return time.monotonic() - start


# ---- Readers that do not read (G15) ----


def slow_reader(address: tuple, buffer: int) -> Peer:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.connect(address)
    return Peer(sock, masks=True)


def slow_session(rig: DevRig, extra: str = "", buffer: int = SLOW_BUFFER) -> tuple[Peer, Peer]:
    """A client with a small buffer and its server, behind the 101."""
    client = slow_reader(("127.0.0.1", rig.dev.port), buffer)
    client.send_raw(upgrade_request("/", extra=extra))
    server = rig.master.receive()
    server.send_raw(switching_protocols(server.receive_head()))
    head = client.receive_head()
    assert head.startswith("HTTP/1.1 101 "), head
    return client, server


def flood(servers: list[Peer], progress: dict, quiet: float = 2) -> int:
    """Each server sends as fast as it can until none could for `quiet` seconds; the bytes that were
    taken. `progress` keeps where in a frame each of them is, from one flood to the next."""
    poller = select.poll()
    by_fd = {server.sock.fileno(): server for server in servers}
    for fd, server in by_fd.items():
        server.sock.setblocking(False)
        poller.register(fd, select.POLLOUT)
    taken = 0
    frame = memoryview(FLOOD)
    while ready := poller.poll(quiet * 1000):
        for fd, _ in ready:
            part = progress.get(fd, 0)
            try:
                sent = by_fd[fd].sock.send(frame[part:])
            except BlockingIOError:
                continue
            progress[fd] = (part + sent) % len(frame)
            taken += sent
    return taken


@dataclass
class Growth:
    """Of one process: KiB a session from before the flood to the most it had since."""
    pid: int
    sessions: int
    before: int

    @classmethod
    def since_now(cls, pid: int, sessions: int) -> "Growth":
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM starts anew
        return cls(pid, sessions, status_kib(pid, "VmRSS"))

    def kib_a_session(self) -> float:
        return (status_kib(self.pid, "VmHWM") - self.before) / self.sessions


def flood_slow_readers(clients: list[Peer], servers: list[Peer], rounds: int = 3) -> int:
    """Floods until everything is full; then each client reads a little, and again. Bytes taken."""
    progress: dict = {}
    taken = flood(servers, progress)
    for _ in range(rounds):
        for client in clients:
            client.sock.recv(SLOW_BUFFER)
        taken += flood(servers, progress)
    return taken


# ---- Out of descriptors (G16) ----


class Starved:
    """A process that has room for `room` more descriptors, beset by clients that come again as soon
    as they are hung up on."""

    def __init__(self, pid: int, address: tuple, room: int = 10, count: int = 200):
        self.pid = pid
        self.address = address
        self.was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        limit = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1 + room
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, self.was[1]))
        self.limit = limit
        self.crowd = [socket.create_connection(address) for _ in range(count)]
        self.hung_up = 0

    def press(self, seconds: float) -> float:
        """Keeps the crowd whole that long; the share of a core that the process used."""
        before, start = cpu_seconds(self.pid), time.monotonic()
        poller = select.poll()
        by_fd = {}

        def add(sock: socket.socket) -> None:
            by_fd[sock.fileno()] = sock
            poller.register(sock, select.POLLIN)

        for sock in self.crowd:
            add(sock)
        while (left := start + seconds - time.monotonic()) > 0:
            for fd, _ in poller.poll(left * 1000):
                sock = by_fd[fd]
                try:
                    if sock.recv(65536):
                        continue
                except ConnectionResetError:
                    pass
                poller.unregister(fd)
                by_fd.pop(fd).close()
                self.hung_up += 1
                add(socket.create_connection(self.address))
        self.crowd = list(by_fd.values())
        return (cpu_seconds(self.pid) - before) / (time.monotonic() - start)

    def is_full(self) -> bool:
        """The descriptors left are those that the process keeps for its own needs."""
        return len(os.listdir(f"/proc/{self.pid}/fd")) >= self.limit - 2

    def release(self) -> None:
        for sock in self.crowd:
            sock.close()
        self.crowd = []
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.was)


def listens(pid: int) -> list[tuple[str, int]]:
    """The IPv4 addresses that a process listens on."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(fd))
    found = []
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
            address, port = words[1].split(":")
            found.append((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found
