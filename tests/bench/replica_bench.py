#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""replica_bench: what a second operator costs and gives, on a real API server: the cold start of a static
server with one and with two of them, in turn, and how long until another one leads."""
import argparse
import os
import pathlib
import signal
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / each) for each in ("e2e", "fault", "cluster")]

from dev_rig import Dev  # noqa: E402
from leaders import ON_CLUSTER, end_leader  # noqa: E402
from rig import FaultRig  # noqa: E402
from starts import Starts, p  # noqa: E402

COLD_GATE = 1.10  # two replicas against one
HAND_OVER_GATES = {signal.SIGTERM: 3.0, signal.SIGKILL: 20.0}  # s


def cold(programs: pathlib.Path, folder: pathlib.Path, rounds: int) -> bool:
    devs = {}
    for replicas in (1, 2):
        os.environ["WSF_REPLICAS"] = str(replicas)
        devs[replicas] = Dev(folder / str(replicas), programs, [str(programs / "wsf-test-server")],
                             ["--operator-flag", "--surplus-seconds=0"])
    starts = {replicas: Starts(dev) for replicas, dev in devs.items()}
    times = {replicas: [] for replicas in devs}
    for _ in range(rounds):
        for replicas, each in starts.items():
            times[replicas].append(each.cold())
    for dev in devs.values():
        dev.close()
    ratio = p(times[2]) / p(times[1])
    print(f"connect to 101, cold, one operator: p50 {p(times[1]):.0f} ms; two: p50 {p(times[2]):.0f} ms; "
          f"ratio {ratio:.2f} (gate {COLD_GATE:.2f})")
    return ratio > COLD_GATE


def hand_over(programs: pathlib.Path, folder: pathlib.Path) -> bool:
    os.environ["WSF_REPLICAS"] = "2"
    rig = FaultRig(folder, programs, through_proxy=False)
    missed = False
    for number, count in ((signal.SIGTERM, 11), (signal.SIGKILL, 5)):
        times = [end_leader(rig, number) for _ in range(count)]
        gate = HAND_OVER_GATES[number]
        print(f"another one leads after {number.name}: p50 {p(times):.1f} s, longest {max(times):.1f} s "
              f"(gate {gate:.0f} s)")
        missed |= max(times) > gate
    rig.close()
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    programs = arguments.bin.resolve()
    os.environ |= {"WSF_BIN": str(programs), "WSF_DEV": str(ON_CLUSTER)}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        missed = cold(programs, folder, arguments.rounds)
        missed |= hand_over(programs, folder / "hand-over")
    if missed:
        print("GATE MISSED")
    return 1 if missed else 0


sys.exit(main())
