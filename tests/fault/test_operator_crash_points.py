# SPDX-License-Identifier: Apache-2.0
"""The operator is killed before and after every write that a workload makes (faults.md 1 and 2).

The list of points is generated: a reference run of the same workload tells which writes there are
and how many of each. A kind of write that PLANS does not know fails the test.
"""
import os
import signal
import threading

import pytest

from api_proxy import Drop
from rig import CLOSE, TEXT, FaultRig, close_body, wait_for

pytestmark = pytest.mark.api  # also on a real API server: make real-api-test

# Every kind of write of the operator, and what the faults before and after it must not break.
PLANS = {
    "POST pods": "an instance is made once: its name is deterministic",
    "DELETE pods": "an ended instance is deleted, by its next observer too",
    "PATCH pods finalizers": "a finalizer goes once, and only after its entry is persisted",
    "PATCH websocketfunctions/status": "entries and counters move in one conditional write",
    "POST events": "an Event may be lost or made twice",
    "PATCH events": "an Event may be lost or counted twice",
}
# Made once, when the keys are new: they are struck in a test of their own.
AT_START = {"PUT secrets"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory, programs):
    rig = FaultRig(tmp_path_factory.mktemp("crash"), programs, ["--set", "warmInstances=1"])
    yield rig
    rig.close()


def workload(rig: FaultRig) -> int:
    """Three sessions of different ends; returns how many records they must leave at least."""
    client, _ = rig.open("/echo")
    client.send(TEXT, b"x")
    client.expect(TEXT, b"x")
    client.send(CLOSE, close_body(1000))
    client.expect_close(1000)
    client.expect_end()
    client, _ = rig.open("/exit/3")
    client.send(TEXT, b"x")
    client.expect_end()
    client, _ = rig.open("/echo")
    client.reset()
    return 3


def reference_points(rig: FaultRig) -> list[str]:
    rig.rest()
    before = len(rig.proxy.points)
    total = rig.function()["status"].get("sessions", {}).get("total", 0)
    workload(rig)
    assert rig.rest(total + 3)["total"] == total + 3
    return rig.proxy.points[before:]


class Fault:
    """Strikes at the n-th write of a kind, once."""

    def __init__(self, rig: FaultRig, point: str, number: int, strike):
        self.point, self.left, self.strike = point, number, strike
        self.struck = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, point: str) -> None:
        with self.lock:
            if point != self.point or self.struck.is_set():
                return
            self.left -= 1
            if self.left > 0:
                return
            self.struck.set()
        self.strike()


def run_with(rig: FaultRig, point: str, number: int, moment: str, strike) -> None:
    total = rig.rest()["total"]
    if point == "POST events":
        rig.kill_operator()  # one that has told an Event before counts it up
    fault = Fault(rig, point, number, strike)
    setattr(rig.proxy, moment, fault)
    try:
        workload(rig)
        rig.rest(total + 3)
        # A write that this run did not make (two statuses became one) leaves nothing to prove.
        if not fault.struck.is_set():
            workload(rig)
            assert rig.rest(total + 6)["total"] >= total + 6
            assert fault.struck.is_set(), f"{point} {number} was never made"
    finally:
        setattr(rig.proxy, moment, lambda point: None)
    rig.rest(total + 3)
    wait_for(lambda: len(rig.pods()) == 1, "one warm instance and nothing else")
    wait_for(lambda: len(rig.pids("wsf-sidecar")) == 1, "one sidecar and nothing else")


def test_every_kind_of_write_has_a_plan(rig):
    reference_points(rig)
    assert set(rig.proxy.points) - AT_START <= set(PLANS), "a new write point needs a plan"
    assert {"POST pods", "DELETE pods", "PATCH pods finalizers",
            "PATCH websocketfunctions/status"} <= set(rig.proxy.points)


@pytest.mark.long(45)
@pytest.mark.timeout(400)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_faults_1_2_P22_the_operator_is_killed_at_every_write(rig, moment):
    points = reference_points(rig)
    assert set(points) <= set(PLANS)

    def kill() -> None:
        rig.kill_operator()
        raise Drop

    for point in sorted(set(points)):
        for number in range(1, points.count(point) + 1):
            run_with(rig, point, number, moment, kill)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_fault_1_the_operator_is_killed_while_it_makes_its_keys(tmp_path, programs, moment, number):
    def kill(rig: FaultRig) -> None:
        rig.kill_operator()
        raise Drop

    def prepare(rig: FaultRig) -> None:
        setattr(rig.proxy, moment, Fault(rig, "PUT secrets", number, lambda: kill(rig)))

    rig = FaultRig(tmp_path, programs, ["--set", "warmInstances=1"], prepare=prepare)
    try:
        assert getattr(rig.proxy, moment).struck.is_set()
        workload(rig)
        assert rig.rest(3)["total"] == 3
    finally:
        rig.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_fault_2_a_lost_request_or_reply_of_every_write(rig, moment):
    def drop() -> None:
        raise Drop

    for point in sorted(set(reference_points(rig))):
        run_with(rig, point, 1, moment, drop)


@pytest.mark.timeout(300)
def test_the_operator_is_stopped_for_a_moment_at_every_kind_of_write(rig):
    def stop() -> None:
        for pid in rig.pids("wsf-operator"):
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(1.0, os.kill, (pid, signal.SIGCONT)).start()

    for point in sorted(set(reference_points(rig))):
        run_with(rig, point, 1, "after", stop)
