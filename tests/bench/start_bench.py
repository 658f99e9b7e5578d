#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""start_bench: how long a connection waits for its instance, and what a session costs the platform.

Real gateway, operator, sidecars and servers. Times are from connect() to the 101 of a client on the
same machine; the same handshake with the server alone stands beside them.
"""
import argparse
import collections
import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "fault")]

from dev_rig import Dev  # noqa: E402
from rig import FaultRig, wait_for  # noqa: E402
from starts import Starts, p, session  # noqa: E402

WARM_GATE_MS = 15.0


def cpu_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def times_of(programs: pathlib.Path, folder: pathlib.Path, command: list[str], flags: list[str],
             cwd: pathlib.Path | None, start, count: int) -> list[float]:
    dev = Dev(folder, programs, command, flags, cwd=cwd)
    starts = Starts(dev)
    times = [start(starts) for _ in range(count)]
    dev.close()
    return times


def throughput(programs: pathlib.Path, folder: pathlib.Path, count: int) -> None:
    """Many clients at once, each session after the other, with 16 warm instances."""
    rig = FaultRig(folder, programs, ["--set", "warmInstances=16"])
    wait_for(lambda: rig.function().get("status", {}).get("free") == 16, "16 are free")
    pids = {part: rig.pids(part)[0] for part in ("wsf-operator", "wsf-gateway")}
    before = {part: cpu_seconds(pid) for part, pid in pids.items()}
    writes = len(rig.proxy.points)
    reviews = sum("tokenreviews" in path for _, path in rig.proxy.requests)
    start = time.perf_counter()
    left = list(range(count))
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if not left:
                    return
                left.pop()
            session(rig.dev)

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    seconds = time.perf_counter() - start
    assert rig.rest(count)["byCode"] == {"200": count}
    print(f"{count} sessions, 8 at a time, 16 warm, real sidecars and servers on the same machine:"
          f" {count / seconds:.0f} a second")
    for part, pid in pids.items():
        print(f"  {part}: {(cpu_seconds(pid) - before[part]) / count * 1000:.2f} ms CPU a session")
    kinds = collections.Counter(rig.proxy.points[writes:])
    for kind, number in sorted(kinds.items()):
        print(f"  {kind}: {number / count:.2f} a session")
    reviews = sum("tokenreviews" in path for _, path in rig.proxy.requests) - reviews
    print(f"  TokenReviews: {reviews / count:.2f} a session")
    rig.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    programs = arguments.bin.resolve()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        times = times_of(programs, folder / "warm", [str(programs / "wsf-test-server")],
                         ["--set", "warmInstances=4"], None, lambda starts: starts.warm(4), arguments.rounds)
        print(f"connect to 101, free instance: p50 {p(times):.1f} ms, p90 {p(times, 0.9):.1f} ms"
              f" (gate {WARM_GATE_MS:.0f} ms)")
        failed |= p(times) > WARM_GATE_MS
        quick = ["--operator-flag", "--surplus-seconds=0"]
        for label, command, flags, cwd in [
                ("static server", [str(programs / "wsf-test-server")], quick, None),
                ("echo-node", [], ["-f", "function.yaml", "--name", "dev", *quick],
                 ROOT / "examples" / "echo-node"),
                ("echo-python", [], ["-f", "function.yaml", "--name", "dev", *quick],
                 ROOT / "examples" / "echo-python")]:
            times = times_of(programs, folder / label.replace(" ", "-"), command, flags, cwd, Starts.cold, 11)
            print(f"connect to 101, cold, {label}: p50 {p(times):.0f} ms, p90 {p(times, 0.9):.0f} ms")
        throughput(programs, folder / "throughput", 400)
    if failed:
        print("GATE MISSED: connect to 101 with a free instance")
    return 1 if failed else 0


sys.exit(main())
