# SPDX-License-Identifier: Apache-2.0
"""Sessions of mixed ends while every part is killed or stopped at random (faults.md G1, 20, 23).

WSF_SOAK_SESSIONS and WSF_SOAK_SEED: `make soak` runs 20,000; a failure prints its seed.
"""
import os
import random
import signal
import threading
import time

import pytest

from rig import CLOSE, TEXT, FaultRig, close_body, field, name_of, wait_for

SESSIONS = int(os.environ.get("WSF_SOAK_SESSIONS", "500"))
CLIENTS = 12
MEAN_SECONDS_BETWEEN_FAULTS = 2.0
WARM = 8

# What a client asks its server for, and what it does itself.
ENDS = ["client 1000", "client 4001", "client fin", "client rst", "/close/1000", "/close/4000",
        "/drop", "/exit/0", "/exit/7", "/refuse", "leave"]


def run_session(rig: FaultRig, end: str, established: list) -> None:
    """One client. Whatever breaks is the fault's doing: the ledger must still be right."""
    path = end if end.startswith("/") else "/echo"
    client = None
    try:
        client = rig.dev.request(path)
        if end == "leave":
            return client.reset()
        head = client.receive_head()
        if not head.startswith("HTTP/1.1 101 "):
            return
        established.append(field(head, "X-Wsf-Request-Id"))
        client.send(TEXT, b"x")
        if path == "/echo":
            client.receive()
        if end == "client fin":
            return
        if end == "client rst":
            return client.reset()
        if end.startswith("client "):
            client.send(CLOSE, close_body(int(end.split()[1])))
        if end.startswith("/close/"):
            client.send(CLOSE, client.receive().payload)
        client.receive_all()
    except (OSError, AssertionError):
        time.sleep(0.05)  # a gateway that is being started refuses connections
    finally:
        if client is not None:
            client.sock.close()


class Faults(threading.Thread):
    """Strikes at random until it is stopped; what it did is in `log`."""

    KINDS = [("wsf-operator", "kill"), ("wsf-operator", "stop"), ("wsf-gateway", "kill"),
             ("wsf-gateway", "stop"), ("wsf-sidecar", "kill"), ("wsf-sidecar", "stop"),
             ("wsf-test-server", "kill"), ("wsf-test-server", "stop"), ("wsf-report", "kill"),
             ("wsf", "stop")]

    def __init__(self, rig: FaultRig, chance: random.Random):
        super().__init__()
        self.rig, self.chance = rig, chance
        self.over = threading.Event()
        self.log = []

    def run(self) -> None:
        while not self.over.wait(self.chance.expovariate(1 / MEAN_SECONDS_BETWEEN_FAULTS)):
            program, what = self.chance.choice(self.KINDS)
            pids = [self.rig.dev.ready["pid"]] if program == "wsf" else self.rig.pids(program)
            if not pids:
                continue
            pid = self.chance.choice(sorted(pids))
            self.log.append(f"{what} {program}")
            try:
                if what == "kill":
                    os.kill(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGSTOP)
                    self.over.wait(self.chance.uniform(0.05, 0.8))
                    os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


def descriptors(rig: FaultRig) -> dict[str, int]:
    pids = {"wsf": rig.dev.ready["pid"]}
    for program in ("wsf-operator", "wsf-gateway"):
        pids[program] = wait_for(lambda: next(iter(rig.pids(program)), None), f"{program} runs")
    return {program: len(os.listdir(f"/proc/{pid}/fd")) for program, pid in pids.items()}


def check_nothing_is_left(rig: FaultRig, before: dict[str, int]) -> None:
    wait_for(lambda: len(rig.pods()) == WARM, "only the warm instances are left", 60)
    for pod in rig.pods():
        assert pod["status"]["phase"] == "Running"
    wait_for(lambda: sorted(map(name_of, rig.dev.processes())) ==
             sorted(["wsf", "wsf-gateway", "wsf-operator"] +
                    ["wsf-sidecar", "wsf-test-server"] * WARM),
             "only the processes of the warm instances are left", 60)
    # The operator keeps idle connections to the API for half a minute.
    wait_for(lambda: all(now <= before[program] + 8 for program, now in descriptors(rig).items()),
             f"as few descriptors as before, {before}", 90)


@pytest.mark.long(60)
@pytest.mark.timeout(300 + SESSIONS // 10)
def test_G1_I4_I9_sessions_under_random_kills_of_every_part(tmp_path, programs):
    seed = int(os.environ.get("WSF_SOAK_SEED", random.randrange(1 << 32)))
    print(f"replay with WSF_SOAK_SEED={seed} WSF_SOAK_SESSIONS={SESSIONS}")
    chance = random.Random(seed)
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={WARM}", "--operator-flag",
                                    "--surplus-seconds=1"], through_proxy=False)
    established = []
    ends = [chance.choice(ENDS) for _ in range(SESSIONS)]
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if not ends:
                    return
                end = ends.pop()
            run_session(rig, end, established)

    try:
        wait_for(lambda: len(rig.pods()) == WARM, "the warm instances are made")
        before = descriptors(rig)
        faults = Faults(rig, random.Random(chance.randrange(1 << 32)))
        clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
        start = time.monotonic()
        for each in [faults, *clients]:
            each.start()
        for each in clients:
            each.join()
        faults.over.set()
        faults.join()
        counters = rig.rest(len(set(established)))
        seconds = time.monotonic() - start
        records = rig.dev.records()
        lost = set(established) - {record["requestId"] for record in records}
        assert not lost, f"sessions without a record: {lost}"
        assert counters["total"] == len(records)
        check_nothing_is_left(rig, before)
        print(f"{SESSIONS} clients, {len(established)} sessions, {len(records)} records, "
              f"{len(faults.log)} faults, {seconds:.0f} s")
    finally:
        rig.close()
