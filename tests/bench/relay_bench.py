#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relay_bench: what sidecar and gateway cost beside a bare relay, in one run.

The chain client -> wsf-gateway -> wsf-sidecar -> server and the chains client -> relay -> server,
with a bare relay, nginx and HAProxy where they are installed, carry the same frames, in turn and in
random order; each relay's CPU is read from its own CPU clock. Figures are medians over the rounds
of ratios paired within a round.
"""
import argparse
import json
import os
import pathlib
import random
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from certificates import client_context, make_certificate  # noqa: E402
from dev_rig import DevRig, wait_for  # noqa: E402
from peers import BINARY, Frame, Peer, encode, switching_protocols, upgrade_request  # noqa: E402
from peers_of_the_field import installed  # noqa: E402
from puppets import COMMAND, PuppetMaster  # noqa: E402
from ports import free_port  # noqa: E402

KIB = 1024
SHAPES = [("ping-pong", 16, 600), ("ping-pong", KIB, 600), ("ping-pong", 64 * KIB, 150),
          ("pipelined", 16, 6_400), ("pipelined", KIB, 6_400), ("pipelined", 64 * KIB, 640)]
WINDOW = 32  # messages
GATES = {"ping-pong": (1.08, 1.20), "pipelined": (1.20, 1.35)}


def cpu_seconds(pid: int) -> float:
    """CPU clock of another process (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


class Chain:
    """Both ends of one connection through one or more relays."""

    def __init__(self, client: Peer, server: Peer, pids: dict[str, int]):
        self.client, self.server, self.pids = client, server, pids
        for peer in (client, server):
            peer.sock.setblocking(False)

    def ping_pong(self, size: int, count: int) -> None:
        out = encode(Frame(BINARY, b"x" * size), masked=True)
        back = encode(Frame(BINARY, b"x" * size), masked=False)
        for _ in range(count):
            move(self.client.sock, self.server.sock, out)
            move(self.server.sock, self.client.sock, back)

    def pipelined(self, size: int, count: int) -> None:
        """WINDOW messages are on their way at a time, each sent by a call of its own."""
        frame = encode(Frame(BINARY, b"x" * size), masked=True)
        for _ in range(count // WINDOW):
            move(self.client.sock, self.server.sock, frame, WINDOW)

    def run(self, shape: str, size: int, count: int) -> dict[str, float]:
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        (self.ping_pong if shape == "ping-pong" else self.pipelined)(size, count)
        return {name: cpu_seconds(pid) - before[name] for name, pid in self.pids.items()}


def move(source, sink, frame: bytes, times: int = 1) -> None:
    """Sends `frame` so many times into one end, each by a call of its own, and takes all out of the
    other end."""
    left, part, missing = times, 0, times * len(frame)
    while missing > 0:
        readable, writable, _ = select.select([sink], [source] if left else [], [], 20)
        assert readable or writable, "the chain has stopped"
        if writable:
            try:
                while left:
                    part += source.send(frame[part:])
                    if part == len(frame):
                        left, part = left - 1, 0
            except BlockingIOError:
                pass
        if readable:
            missing -= len(sink.recv(1 << 20))


def pin(pid: int) -> None:
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {0})


def children_named(dev, name: str) -> list[int]:
    found = []
    for pid in dev.processes():
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
        except FileNotFoundError:
            pass
    return found


class TlsChain(Chain):
    """As Chain, ping-pong alone, the client under TLS."""

    def __init__(self, client: Peer, server: Peer, pids: dict[str, int]):
        super().__init__(client, server, pids)
        for peer in (client, server):
            peer.sock.setblocking(True)

    def ping_pong(self, size: int, count: int) -> None:
        out = encode(Frame(BINARY, b"x" * size), masked=True)
        back = encode(Frame(BINARY, b"x" * size), masked=False)
        for _ in range(count):
            self.client.sock.sendall(out)
            take(self.server.sock, len(out))
            self.server.sock.sendall(back)
            take(self.client.sock, len(back))


def take(sock, size: int) -> None:
    while size > 0:
        data = sock.recv(min(size, 1 << 20))
        assert data, "the chain has ended"
        size -= len(data)


def relay_chain(name: str, folder: pathlib.Path, start, context: ssl.SSLContext | None = None):
    """The chain client -> what `start(port, server_port)` starts -> server."""
    master = PuppetMaster(folder / f"{name}.sock")
    port, server_port = free_port(), free_port()
    env = dict(os.environ, PUPPET=str(master.path), PORT=str(server_port))
    puppet = subprocess.Popen(COMMAND, env=env)
    relay = start(port, server_port)

    def try_dial():
        try:
            sock = socket.create_connection(("127.0.0.1", port))
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname="localhost")
            client = Peer(sock, masks=True)
            client.send_raw(upgrade_request())
            master.listener.settimeout(1)
            server = master.receive()
            server.send_raw(switching_protocols(server.receive_head()))
            client.receive_head()
            return client, server
        except (OSError, AssertionError):
            time.sleep(0.05)
            return None
    client, server = wait_for(try_dial, f"{name} serves")
    kind = Chain if context is None else TlsChain
    return kind(client, server, {name: relay.pid}), [relay, puppet], master


def compare(chains: list[Chain], base: str, shapes, rounds: int) -> dict:
    """By (shape, size): the median ratio of each relay to `base`, and that one's µs per message."""
    table = {}
    names = [name for chain in chains for name in chain.pids]
    print(f"{'shape':<10} {'size':>6}  {base + ' µs':>8}" + "".join(
        f"  {name:>8}" for name in names if name != base))
    for shape, size, count in shapes:
        ratios = {name: [] for name in names}
        costs = []
        for chain in chains:
            chain.run(shape, size, max(10, count // 10))  # warm
        for _ in range(rounds):
            cost = {}
            for chain in random.sample(chains, len(chains)):
                cost.update(chain.run(shape, size, count))
            for name in names:
                ratios[name].append(cost[name] / cost[base])
            costs.append(cost[base] / (count * (2 if shape == "ping-pong" else 1)) * 1e6)
        table[shape, size] = {name: statistics.median(values) for name, values in ratios.items()}
        print(f"{shape:<10} {size:>6}  {statistics.median(costs):>8.2f}" + "".join(
            f"  {table[shape, size][name]:>8.2f}" for name in names if name != base))
    return table


def syscalls_per_message(pid: int, chain: Chain, count: int = 500) -> float | None:
    """Exact, by strace -c, over ping-pong messages of 1 KiB (each is two relayed messages)."""
    try:
        tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(pid)], stderr=subprocess.PIPE,
                                  text=True)
    except FileNotFoundError:
        return None
    time.sleep(0.5)  # strace says nothing when it has attached
    chain.ping_pong(KIB, count)
    tracer.send_signal(2)
    _, table = tracer.communicate(timeout=20)
    total = [line for line in table.splitlines() if line.endswith("total")]
    return int(total[0].split()[2 if len(total[0].split()) < 5 else 3]) / (2 * count)


def memory(pid: int) -> dict[str, int]:
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0])
    return fields


def switches(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)


def threads(pid: int) -> int:
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def report_cpu(programs: pathlib.Path, sidecar: int, address: str, rounds: int = 11) -> float:
    """CPU milliseconds of one wsf-report: TLS, one call, refused for its token."""
    env = dict(pair.split("=", 1) for pair in
               pathlib.Path(f"/proc/{sidecar}/environ").read_text().split("\0") if "=" in pair)
    figures = []
    for _ in range(rounds):
        child = subprocess.Popen(
            [programs / "wsf-report", f"--operator={address}", "--token-file=/dev/null"], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child.stdin.write(b"\x0a\x03\x0a\x01x")  # Report{listening{pod_uid: "x"}}
        child.stdin.close()
        _, _, usage = os.wait4(child.pid, 0)
        figures.append((usage.ru_utime + usage.ru_stime) * 1000)
    return statistics.median(figures)


def connect_times(rig: DevRig, count: int) -> list[float]:
    """Milliseconds from connect to the 101 with a free instance, the server answering at once."""
    figures = []
    for _ in range(count):
        wait_for(lambda: rig.dev.kubectl("get", "wsf", "dev", "-o", "jsonpath={.status.free}") == "1",
                 "a free instance")
        time.sleep(0.2)  # status is at most a second old; the instance is free by now
        start = time.perf_counter()
        client = rig.dev.request()
        server = rig.master.receive()
        server.send_raw(switching_protocols(server.receive_head()))
        client.receive_head()
        figures.append((time.perf_counter() - start) * 1000)
        client.end()
        server.expect_end()
        server.end()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    programs = arguments.bin.resolve()
    os.sched_setaffinity(0, {0})
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rig = DevRig(folder / "wsf", programs, ["--set", "warmInstances=1"])
        session = rig.connect()
        gateway, sidecar = rig.dev.ready["gatewayPid"], children_named(rig.dev, "wsf-sidecar")
        sidecar = next(pid for pid in sidecar if len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
                       == max(len(list(pathlib.Path(f"/proc/{p}/fd").iterdir())) for p in sidecar))
        ours = Chain(session.client, session.server, {"gateway": gateway, "sidecar": sidecar})
        chains, processes, masters = [ours], [], []

        def add(chain_processes_master) -> None:
            chain, started, master = chain_processes_master
            chains.append(chain)
            processes.extend(started)
            masters.append(master)
        add(relay_chain("bare", folder, lambda port, server_port: subprocess.Popen(
            [programs / "wsf-bare-relay", str(port), str(server_port)])))
        for peer, start in installed().items():
            add(relay_chain(peer, folder, lambda port, server_port, start=start, peer=peer:
                            start(folder / peer, port, server_port)))
        for chain in chains:
            for pid in chain.pids.values():
                pin(pid)
        print(f"CPU per message as a ratio to the bare relay, median of {arguments.rounds} rounds,"
              " everything on one core")
        table = compare(chains, "bare", SHAPES, arguments.rounds)
        for (shape, size), ratio in table.items():
            if ratio["sidecar"] > GATES[shape][1]:
                failed.append(f"sidecar {shape} {size}: {ratio['sidecar']:.2f} > {GATES[shape][1]}")

        certificate = make_certificate(folder / "certificate", "localhost")
        context = client_context(certificate)
        tls_rig = DevRig(folder / "tls", programs, [f"--gateway-flag=--tls-certificate={certificate}"])
        tls_client = Peer(context.wrap_socket(
            socket.create_connection(("127.0.0.1", tls_rig.dev.port)), server_hostname="localhost"),
            masks=True)
        tls_client.send_raw(upgrade_request())
        tls_server = tls_rig.master.receive()
        tls_server.send_raw(switching_protocols(tls_server.receive_head()))
        tls_client.receive_head()
        under_tls = [TlsChain(tls_client, tls_server, {"gateway": tls_rig.dev.ready["gatewayPid"]})]
        for peer, start in installed().items():
            chain, started, master = relay_chain(
                peer, folder / "tls", lambda port, server_port, start=start, peer=peer:
                start(folder / f"{peer}-tls", port, server_port, certificate), context)
            under_tls.append(chain)
            processes.extend(started)
            masters.append(master)
        for chain in under_tls:
            for pid in chain.pids.values():
                pin(pid)
        print("CPU per message under TLS as a ratio to the gateway's own")
        compare(under_tls, "gateway", SHAPES[:3], arguments.rounds)
        tls_rig.close()

        for part, pid in (("sidecar", sidecar), ("gateway", gateway)):
            calls = syscalls_per_message(pid, ours)
            if calls is not None:
                print(f"{part}: {calls:.2f} system calls per ping-pong message of 1 KiB")
        use = memory(sidecar)
        dirty = use["Private_Dirty"]
        print(f"sidecar, live: RSS {use['Rss'] / KIB:.2f} MiB, private dirty {dirty / KIB:.2f} MiB,"
              f" {threads(sidecar)} thread")
        before = switches(sidecar)
        time.sleep(5)
        print(f"sidecar, silent: {(switches(sidecar) - before) / 5:.1f} wake-ups a second")
        for gate, bad in (("RSS over 3 MiB", use["Rss"] > 3 * KIB),
                          ("dirty over 0.2 MiB", dirty > 0.2 * KIB),
                          ("more than one thread", threads(sidecar) > 1)):
            if bad:
                failed.append(f"sidecar: {gate}")
        kubeconfig = json.loads(pathlib.Path(rig.dev.ready["kubeconfig"]).read_text())
        host = kubeconfig["clusters"][0]["cluster"]["server"].split("/")[2].split(":")[0]
        print(f"wsf-report: {report_cpu(programs, sidecar, host + ':9443'):.1f} ms CPU a report")
        times = connect_times(rig, 11)
        print(f"connect to 101 with a free instance, server's own time included: p50"
              f" {statistics.median(times):.1f} ms")
        resident = memory(gateway)["Rss"]
        held = [rig.connect() for _ in range(50)]
        grown = (memory(gateway)["Rss"] - resident) / len(held)
        print(f"gateway: {grown:.1f} KiB RSS per idle connection (50 more), {resident / KIB:.1f} MiB"
              " before")
        for process in processes:
            process.kill()
        for master in masters:
            master.close()
        rig.close()
    for line in failed:
        print(f"GATE MISSED: {line}")
    return 1 if failed else 0


sys.exit(main())
