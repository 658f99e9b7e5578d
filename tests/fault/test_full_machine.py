# SPDX-License-Identifier: Apache-2.0
"""A machine that has nothing left, disk or descriptors: sessions go on, and service returns."""
import os
import resource
import signal

import pytest

from hostile import SHARED, all_descriptors
from rig import FaultRig, name_of, wait_for

from dev_rig import DevRig
from test_hostile_clients import echoes
from test_report_faults import Strace


@pytest.fixture
def rig(tmp_path, programs):
    rig = FaultRig(tmp_path, programs, through_proxy=False)
    yield rig
    rig.close()


def test_D16_fault_45_no_space_for_an_instances_folder(rig):
    live, _ = rig.open()
    strace = Strace(rig.pids("wsf")[0], "mkdir:error=ENOSPC")
    try:
        client = rig.dev.request("/echo")
        assert client.receive_head().startswith("HTTP/1.1 502 ")
        wait_for(lambda: "No space left on device" in rig.dev.output(), "the console says why")
        assert echoes(live)
    finally:
        strace.close()
    client, _ = rig.open()
    assert echoes(client) and echoes(live)


def test_house_M15_U22_an_operator_that_cannot_be_started_is_tried_again(rig):
    live, _ = rig.open()
    supervisor, operator = rig.pids("wsf")[0], rig.pids("wsf-operator")[0]
    was = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir(f"/proc/{supervisor}/fd")))
    # What the operator's end sets free is not enough for another.
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (min(5, highest), was[1]))
    try:
        os.kill(operator, signal.SIGKILL)
        wait_for(lambda: "cannot start" in rig.dev.output(), "no descriptor is left for it")
        assert echoes(live)
    finally:
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, was)
    wait_for(lambda: rig.pids("wsf-operator"), "it runs again")
    client, _ = rig.open()
    assert echoes(client) and echoes(live)
    assert name_of(operator) == ""


@pytest.fixture
def draining(tmp_path, programs):
    """A gateway that gives its sessions no time when it is to stop."""
    with all_descriptors():
        rig = DevRig(tmp_path, programs, [*SHARED, "--gateway-flag", "--drain-seconds=0"])
        yield rig
        rig.close()


def test_D32_house_M6_P20_a_stopping_gateway_that_is_short_of_descriptors(draining):
    """Each order to end takes one; there are ten for three hundred sessions."""
    sessions = [draining.connect() for _ in range(300)]
    gateway = draining.dev.ready["gatewayPid"]
    highest = max(map(int, os.listdir(f"/proc/{gateway}/fd")))
    was = resource.prlimit(gateway, resource.RLIMIT_NOFILE)
    resource.prlimit(gateway, resource.RLIMIT_NOFILE, (highest + 11, was[1]))
    os.kill(gateway, signal.SIGTERM)
    for session in sessions:
        session.client.expect_close(1012, "500 gateway shutdown")
    ids = {session.request_id for session in sessions}
    wait_for(lambda: len(draining.dev.records()) >= len(ids), "their records")
    assert {r["reason"] for r in draining.dev.records() if r["requestId"] in ids} == {"GatewayShutdown"}
