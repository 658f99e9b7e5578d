# SPDX-License-Identifier: Apache-2.0
"""Two operators on a real API server: whoever leads is stopped and killed again and again, under
sessions (section 4 of kubernetes.md, I1, I4, faults.md 1, 2 and 13)."""
import random
import signal
import statistics
import threading

import pytest

from cluster_sessions import ENDS, WARM, check, session
from leaders import ON_CLUSTER, end_leader
from rig import FaultRig, wait_for

CLIENTS = 6
# From the signal to another's name in the Lease, s (section 4).
MOST = {signal.SIGTERM: 3, signal.SIGKILL: 20}
LONGEST = 4  # s that a session lives beside what happens


@pytest.fixture
def rig(tmp_path, programs, monkeypatch):
    monkeypatch.setenv("WSF_DEV", str(ON_CLUSTER))
    monkeypatch.setenv("WSF_REPLICAS", "2")
    rig = FaultRig(tmp_path, programs, ["--set", f"warmInstances={WARM}"], through_proxy=False)
    yield rig
    rig.close()


class Clients:
    """Sessions of all kinds of ends, a few at any time, until told to stop."""

    def __init__(self, rig: FaultRig):
        self.rig = rig
        self.done: dict[str, str] = {}
        self.errors: list[BaseException] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for each in self.threads:
            each.start()

    def _run(self) -> None:
        while not self.over.is_set():
            end = random.choice(list(ENDS))
            try:
                request_id = session(self.rig, end, lambda: self.over.wait(random.uniform(0, LONGEST)))
            except BaseException as error:
                self.errors.append(error)
                raise
            self.done[request_id] = end

    def stop(self) -> dict[str, str]:
        self.over.set()
        for each in self.threads:
            each.join()
        assert not self.errors
        return self.done


def change_leader(rig: FaultRig, clients: Clients, number: signal.Signals) -> float:
    """Ends whoever leads; how long until another one does."""
    took = end_leader(rig, number)
    # It works: it counts a session that began after it.
    request_id = session(rig, "client")
    wait_for(lambda: any(each["requestId"] == request_id for each in rig.dev.records()), "its record", 90)
    clients.done[request_id] = "client"
    return took


def go_through(rig: FaultRig, changes: list[signal.Signals]) -> None:
    clients = Clients(rig)
    try:
        took = {number: [] for number in MOST}
        for number in changes:
            took[number].append(change_leader(rig, clients, number))
    finally:
        done = clients.stop()
    for number, times in took.items():
        if times:
            print(f"leader changes by {number.name}: {len(times)}, median {statistics.median(times):.1f} s, "
                  f"longest {max(times):.1f} s of {MOST[number]} s; {len(done)} sessions")
    assert len(done) >= len(changes)
    check(rig, done)


@pytest.mark.timeout(300)
@pytest.mark.long(60)
def test_I4_K30_fault_1_a_leader_that_ends_and_one_that_dies_under_sessions(rig):
    go_through(rig, [signal.SIGTERM, signal.SIGKILL, signal.SIGTERM])


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(3))
def test_I1_I4_fault_1_fault_13_forty_leader_changes(rig, part):
    go_through(rig, random.Random(part).sample([signal.SIGTERM, signal.SIGKILL] * 20, 40))
