# SPDX-License-Identifier: Apache-2.0
"""Certificates renew themselves while all runs: no session, and no report of one, notices."""
import datetime
import os
import signal
import ssl
import time
import urllib.parse

import pytest

from rig import FaultRig, wait_for

from certificates import issuer, not_after
from test_hostile_clients import echoes

SIDECAR_PORT = 9443

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]


def serving_until(rig: FaultRig) -> datetime.datetime:
    """When the certificate ends that the operator shows to sidecars now."""
    host = urllib.parse.urlsplit(rig.dev.ready["adminUrl"]).hostname
    return not_after(ssl.get_server_certificate((host, SIDECAR_PORT)))


def authority_of(rig: FaultRig) -> str:
    """The name of that which has signed the certificate."""
    host = urllib.parse.urlsplit(rig.dev.ready["adminUrl"]).hostname
    return issuer(ssl.get_server_certificate((host, SIDECAR_PORT)))


def rig_of(tmp_path, programs, life: int, *settings: str, more: tuple[str, ...] = ()) -> FaultRig:
    flags = [f"--operator-flag=--relay-certificate-seconds={life}",
             f"--operator-flag=--certificate-seconds={life}", *more]
    return FaultRig(tmp_path, programs, [*flags, *(part for each in settings for part in ("--set", each))],
                    through_proxy=False)


def go_through(rig: FaultRig, lives: int, life: int) -> int:
    """Ten sessions at a time, of ten seconds each, until so many lives are over; how many there were."""
    end = serving_until(rig) + datetime.timedelta(seconds=(lives - 1) * life)
    sessions, live = 0, []
    while serving_until(rig) <= end + datetime.timedelta(seconds=life / 2):
        client, _ = rig.open()
        sessions += 1
        assert echoes(client)
        live.append((client, time.monotonic()))
        if len(live) >= 10:
            oldest, since = live.pop(0)
            wait_for(lambda: time.monotonic() >= since + 10, "it has lasted")
            assert echoes(oldest)
            oldest.send_close(1000)
            oldest.expect_close(1000)
    for client, _ in live:
        client.send_close(1000)
        client.expect_close(1000)
    return sessions


def check(rig: FaultRig, sessions: int) -> None:
    """The gateway finds a new operator too, by the certificate that it has now."""
    os.kill(rig.pids("wsf-operator")[0], signal.SIGKILL)
    client, _ = rig.open()
    assert echoes(client)
    client.send_close(1000)
    client.expect_close(1000)
    rig.rest(sessions + 1)
    assert {record["statusCode"] for record in rig.dev.records()} == {200}
    assert "report refused" not in rig.dev.output()


def test_D01_K33_fault_47_three_renewals_with_cold_starts(tmp_path, programs):
    rig = rig_of(tmp_path, programs, 60, "warmInstances=0")
    try:
        check(rig, go_through(rig, 3, 60))
    finally:
        rig.close()


def test_D01_K33_fault_47_three_renewals_with_instances_that_wait(tmp_path, programs):
    rig = rig_of(tmp_path, programs, 180, "warmInstances=2", "warmMaxAgeSeconds=60")
    try:
        check(rig, go_through(rig, 3, 180))
    finally:
        rig.close()


def test_K33_fault_47_an_authority_is_followed_by_another_with_cold_starts(tmp_path, programs):
    """The shortest that there is: it is followed after 280 s, and what it has signed is over after 68 s
    more; every instance is new."""
    rig = rig_of(tmp_path, programs, 60, "warmInstances=0",
                 more=("--operator-flag=--authority-seconds=420",))
    try:
        first = authority_of(rig)
        sessions = 0
        while authority_of(rig) == first:
            sessions += go_through(rig, 1, 60)
        check(rig, sessions + go_through(rig, 1, 60))
    finally:
        rig.close()
